"""Options of commands that are settings too. They become environment before Django reads its settings."""

from __future__ import annotations

import argparse
import os
from pathlib import Path

COMMANDS = ("up", "demo")
_VARIABLES = {"port": "PORT", "data_dir": "MYLOWARE_DATA_DIR", "providers_mode": "PROVIDERS_MODE"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """``--port``, ``--data-dir`` and ``--providers-mode``; absent ones leave the environment as it is."""
    parser.add_argument("--port", type=_port, help="port of the web process (default: PORT or 8080)")
    parser.add_argument("--data-dir", type=_folder, help="folder of all data (default: MYLOWARE_DATA_DIR or var)")
    parser.add_argument(
        "--providers-mode",
        choices=["mock", "local", "live"],
        help="instant tiny media, real media made here, or the services (default: PROVIDERS_MODE or local)",
    )


def add_workers(parser: argparse.ArgumentParser) -> None:
    """``--workers``."""
    parser.add_argument("--workers", type=_count, default=2, help="worker processes (default: 2)")


def export(argv: list[str]) -> None:
    """Puts the options of ``manage.py up`` and ``manage.py demo`` into the environment."""
    if len(argv) < 2 or argv[1] not in COMMANDS:
        return
    parser = argparse.ArgumentParser(prog=f"{Path(argv[0]).name} {argv[1]}", add_help=False)
    add_arguments(parser)
    given, _ = parser.parse_known_args(argv[2:])
    for name, variable in _VARIABLES.items():
        if (value := getattr(given, name)) is not None:
            os.environ[variable] = str(value)


def _port(text: str) -> int:
    return _whole_number(text, 1, 65_535)


def _count(text: str) -> int:
    return _whole_number(text, 1, 1_000)


def _whole_number(text: str, least: int, most: int) -> int:
    if not text.isdecimal() or not least <= int(text) <= most:
        raise argparse.ArgumentTypeError(f"a whole number from {least} to {most}, not '{text}'")
    return int(text)


def _folder(text: str) -> Path:
    return Path(text).expanduser().resolve()
