"""The account under which PostgreSQL runs: it refuses to be root."""

from __future__ import annotations

import os
import pwd
import subprocess
from dataclasses import dataclass
from pathlib import Path

from myloware.kernel.errors import Misconfigured


@dataclass(frozen=True)
class Account:
    """A system account that root drops to."""

    name: str
    uid: int
    gid: int

    def run(self, *command: str, cwd: Path = Path("/")) -> subprocess.CompletedProcess[str]:
        """Runs ``command`` under this account with nothing but locale and path in its environment."""
        return subprocess.run(
            command,
            user=self.uid,
            group=self.gid,
            extra_groups=[],
            cwd=cwd,
            env={"PATH": os.defpath, "LC_ALL": "C"},
            capture_output=True,
            text=True,
            check=False,
        )

    def reaches(self, path: Path) -> bool:
        """Whether it may enter the folder, or run the file, ``path``: parents and access lists included."""
        return self.run("/bin/sh", "-c", 'test -x "$1"', "sh", str(path)).returncode == 0


def of_owner(path: Path) -> Account:
    """The account that owns ``path``."""
    return _account(pwd.getpwuid(path.stat().st_uid))


def unprivileged() -> Account:
    """``nobody``. Raises Misconfigured when this machine has no such account, or root may not change to it."""
    try:
        account = _account(pwd.getpwnam("nobody"))
        account.run("/bin/sh", "-c", ":")
    except (KeyError, PermissionError, OSError) as error:
        raise Misconfigured(
            "PostgreSQL does not run as root, and root cannot change to the account 'nobody' here: "
            "start as an ordinary user, or set DB_URL."
        ) from error
    return account


def _account(entry: pwd.struct_passwd) -> Account:
    return Account(entry.pw_name, entry.pw_uid, entry.pw_gid)
