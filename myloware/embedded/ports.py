"""TCP ports on this machine's loopback address."""

from __future__ import annotations

import socket

HOST = "127.0.0.1"


def is_free(port: int) -> bool:
    """Whether a server could listen there now."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
    return True


def free_from(preferred: int, *, taken: tuple[int, ...] = ()) -> int:
    """``preferred``, or the next port that is free and not in ``taken``; 0 stands for any."""
    for port in range(preferred, min(preferred + 100, 65_536)):
        if port not in taken and is_free(port):
            return port
    with socket.socket() as any_port:
        any_port.bind((HOST, 0))
        return int(any_port.getsockname()[1])
