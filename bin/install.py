"""Makes .venv and installs a lock file into it; called by bin/setup with the standard library alone.

One at a time, and all or nothing: an installation that was interrupted is made anew.
"""

from __future__ import annotations

import fcntl
import shutil
import subprocess
import sys
import time
import venv
from collections import deque
from pathlib import Path

BASE = Path(__file__).resolve().parent.parent
VENV = BASE / ".venv"
UNFINISHED = VENV / "unfinished"


def main(name: str) -> None:
    with Path(__file__).open() as guard:
        fcntl.flock(guard, fcntl.LOCK_EX)
        if installed(name):
            return
        if UNFINISHED.exists() or not works():
            make()
        UNFINISHED.touch()
        install(name)
        UNFINISHED.unlink()
        shutil.copyfile(BASE / name, stamp(name))


def stamp(name: str) -> Path:
    return VENV / f"installed.{name}"


def installed(name: str) -> bool:
    """Whether somebody else has just done it."""
    return stamp(name).exists() and stamp(name).read_bytes() == (BASE / name).read_bytes() and works()


def works() -> bool:
    """Whether the virtual environment's Python still has its pip."""
    try:
        return subprocess.run([python(), "-c", "import pip"], capture_output=True, check=False).returncode == 0
    except OSError:
        return False


def python() -> str:
    return str(VENV / "bin" / "python")


def make() -> None:
    print(f"Making .venv with Python {sys.version.split()[0]}", flush=True)
    if VENV.exists():
        shutil.rmtree(VENV)
    VENV.mkdir()
    UNFINISHED.touch()
    venv.create(VENV, with_pip=True, symlinks=True)


def install(name: str) -> None:
    """Shows how many packages have been fetched, and on failure what pip said last."""
    total = sum(1 for line in (BASE / name).read_text().splitlines() if "==" in line and not line[0].isspace())
    command = ("-m", "pip", "install", "--require-hashes", "--no-deps", "--disable-pip-version-check", "--no-input")
    started, fetched, shown, last = time.monotonic(), 0, 0, deque[str](maxlen=15)
    show(f"Installing {total} packages")
    with subprocess.Popen(
        [python(), *command, "--progress-bar", "off", "-r", name],
        cwd=BASE,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as pip:
        for line in pip.stdout or ():
            last.append(line)
            fetched += line.startswith(("Collecting", "Requirement already satisfied"))
            if fetched >= shown + total // 8:
                shown = fetched
                show(f"Installing packages: {fetched} of about {total}")
    if pip.returncode:
        sys.exit("".join(last) + "\nThe installation failed; what pip said last stands above.")
    show(f"Installed in {time.monotonic() - started:.0f} s", end="\n")


def show(text: str, *, end: str = "") -> None:
    """On a terminal one line that changes, elsewhere a line each."""
    if sys.stdout.isatty():
        print(f"\r\033[K{text}", end=end, flush=True)
    else:
        print(text, flush=True)


if __name__ == "__main__":
    main(sys.argv[1])
