"""Becomes another program that does not outlive its parent. Run as a script: ``python -I -S child.py ...``.

A program of its own instead of a ``preexec_fn``, which is unsafe in a process with threads.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1  # <sys/prctl.h>


def bound(command: list[str], death_signal: int, *, uid: int = -1, gid: int = -1) -> list[str]:
    """The command line that runs ``command`` under ``uid`` and ``gid`` (-1: unchanged) as long as its parent lives.

    On Linux the kernel sends ``death_signal`` when the *thread* that started it ends.
    """
    numbers = (os.getpid(), int(death_signal), uid, gid)
    return [sys.executable, "-I", "-S", __file__, *map(str, numbers), *command]


def become(parent: int, death_signal: int, uid: int, gid: int, command: list[str]) -> None:
    """Replaces this process by ``command``."""
    if uid >= 0:
        os.setgroups([])
        os.setgid(gid)
        os.setuid(uid)
    # The shell starts background jobs with SIGINT and SIGQUIT ignored, and that is inherited.
    for each in (signal.SIGINT, signal.SIGQUIT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(each, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, [])
    if sys.platform == "linux":
        # After the change of user, which clears it.
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, death_signal)
    if os.getppid() != parent:
        sys.exit("the parent has ended")
    os.execv(command[0], command)


if __name__ == "__main__":
    numbers = [int(text) for text in sys.argv[1:5]]
    become(numbers[0], numbers[1], numbers[2], numbers[3], sys.argv[5:])
