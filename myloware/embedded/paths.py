"""Where the embedded servers listen, computed from the data directory alone so that every command finds them."""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
from pathlib import Path
from urllib.parse import quote

from myloware.kernel.errors import Misconfigured

POSTGRES_PORT = 5432
"""Only part of the socket's name: the embedded server has no TCP port."""


def socket_dir(data_dir: Path) -> Path:
    """The folder of the sockets of the system whose data is in ``data_dir``.

    A socket path must stay under 108 bytes (``sun_path`` in unix(7)), so sockets live in a short folder of their own;
    not below ``TMPDIR``, which may be long and may differ between two terminals.
    """
    digest = hashlib.sha256(str(data_dir.resolve()).encode()).hexdigest()[:10]
    return _short_temporary_dir() / f"myloware-{os.getuid()}-{digest}"


def postgres_socket_dir(data_dir: Path) -> Path:
    """The folder that PostgreSQL's own account may write to."""
    return socket_dir(data_dir) / "postgres"


def make_socket_dir(data_dir: Path) -> Path:
    """Creates ``socket_dir``. Raises Misconfigured when somebody else has made a folder of that name."""
    folder = socket_dir(data_dir)
    # Root's PostgreSQL runs under another account, which has to pass through to its own folder.
    mode = 0o711 if os.geteuid() == 0 else 0o700
    folder.mkdir(mode=mode, exist_ok=True)
    if folder.is_symlink() or folder.stat().st_uid != os.geteuid():
        raise Misconfigured(f"{folder} belongs to somebody else: remove it, or use another data directory.")
    folder.chmod(mode)
    return folder


def remove_socket_dir(data_dir: Path) -> None:
    """After the servers have stopped."""
    shutil.rmtree(socket_dir(data_dir), ignore_errors=True)


def database_url(data_dir: Path) -> str:
    """libpq URL of the embedded PostgreSQL."""
    host = quote(str(postgres_socket_dir(data_dir)), safe="")
    return f"postgresql://postgres@/myloware?host={host}&port={POSTGRES_PORT}"


def redis_url(data_dir: Path) -> str:
    """redis-py URL of the embedded broker."""
    return f"unix://{socket_dir(data_dir) / 'broker.sock'}"


def _short_temporary_dir() -> Path:
    usual = Path("/tmp")  # noqa: S108 - the folder made in it is private and its owner is checked
    return usual if os.access(usual, os.W_OK | os.X_OK) else Path(tempfile.gettempdir())
