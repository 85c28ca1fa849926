"""Becomes another program that does not outlive its parent. Run as a script: ``python -I -S child.py ...``.

A program of its own instead of a ``preexec_fn``, which is unsafe in a process with threads.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1  # <sys/prctl.h>


def become(parent: int, death_signal: int, uid: int, gid: int, command: list[str]) -> None:
    """Replaces this process by ``command`` under ``uid`` and ``gid`` (-1: unchanged).

    On Linux the kernel sends ``death_signal`` when the *thread* that started us ends.
    """
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
        sys.exit("the supervisor has ended")
    os.execv(command[0], command)


if __name__ == "__main__":
    numbers = [int(text) for text in sys.argv[1:5]]
    become(numbers[0], numbers[1], numbers[2], numbers[3], sys.argv[5:])
