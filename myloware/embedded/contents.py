"""Whether the embedded database holds what this version of the source needs, told without a look into it."""

from __future__ import annotations

import hashlib
from pathlib import Path


class Contents:
    """Tables, admin user, projects and knowledge of the database in ``data_dir``."""

    def __init__(self, base_dir: Path, data_dir: Path, admin_password: str) -> None:
        self._base_dir = base_dir
        self._stamp = data_dir / "postgres.contents"
        self._digest = _digest(base_dir, admin_password)

    def are_current(self) -> bool:
        return self._stamp.exists() and self._stamp.read_text() == self._digest

    def mark_current(self) -> None:
        """To be called when ``manage.py prepare`` has succeeded."""
        self._stamp.write_text(self._digest)


def _digest(base_dir: Path, admin_password: str) -> str:
    """Changes with migrations, fixtures, libraries (some keep tables of their own) and the admin's password."""
    migrations = sorted(base_dir.glob("*/migrations/*.py"))
    fixtures = [
        path for name in ("projects", "knowledge") for path in sorted((base_dir / "fixtures" / name).rglob("*"))
    ]
    total = hashlib.sha256(admin_password.encode())
    for path in (base_dir / "requirements.lock", *migrations, *fixtures):
        if path.is_file():
            total.update(path.relative_to(base_dir).as_posix().encode() + b"\0" + path.read_bytes())
    return total.hexdigest()
