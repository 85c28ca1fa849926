"""The processes of MyloWare on one machine."""

from __future__ import annotations

import http.client
import shutil
import signal
import sys
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from myloware import settings

from .ports import HOST
from .supervisor import Program

ADMIN = "admin"
"""The first user, of the admin and of Flower."""
# Quiet: no banners.
_CELERY = ("-m", "celery", "-q")
# Celery sets Django up where this names a module; Flower needs neither models nor tasks.
_WITHOUT_DJANGO = {"DJANGO_SETTINGS_MODULE": ""}
_ENV = {
    "PYTHONUNBUFFERED": "1",
    # A heap for each thread, and NumPy's buffers for each core, are memory these processes never use.
    "MALLOC_ARENA_MAX": "2",
    "OPENBLAS_NUM_THREADS": "1",
    # The reason for that warning is pickle, which our workers do not accept.
    "PYTHONWARNINGS": "ignore:You're running the worker with superuser privileges",
}


def login() -> str:
    """Who enters the admin and Flower, and where the password stands."""
    secrets = settings.DATA_DIR / "secrets.env"
    return f"{ADMIN}, password: ADMIN_PASSWORD in {secrets if secrets.exists() else 'the environment'}"


@dataclass(frozen=True)
class Plan:
    """Where the processes listen and how many workers there are."""

    base_dir: Path
    data_dir: Path
    port: int
    flower_port: int
    simulators_port: int | None
    """None: no provider is in local mode, or the simulators run elsewhere."""
    workers: int
    renders_here: bool
    """Whether films are rendered by a worker of ours."""
    broker_url: str
    """As Celery writes it."""
    admin_password: str


def preparation(plan: Plan) -> Program:
    """Tables and fixtures; ends when they are there."""
    return python("prepare", plan, "manage.py", "prepare")


def processes(plan: Plan) -> tuple[Program, ...]:
    """Web, worker, beat, Flower and, where they are wanted, renderer and simulators. All need migrated tables."""
    counts = str(_emptied(plan.data_dir / "metrics"))
    counted = (_with_env(program, PROMETHEUS_MULTIPROC_DIR=counts) for program in (web(plan), worker(plan)))
    ours = (renderer(plan),) if plan.renders_here else ()
    outside = (simulators(plan),) if plan.simulators_port else ()
    return (*counted, *ours, beat(plan), flower(plan), *outside)


def answers(port: int, path: str) -> bool:
    """Whether ``GET path`` on this machine's ``port`` is answered with 200."""
    connection = http.client.HTTPConnection(HOST, port, timeout=5)
    try:
        connection.request("GET", path)
        return connection.getresponse().status == http.HTTPStatus.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def web(plan: Plan) -> Program:
    serve = ("-m", "uvicorn", "myloware.asgi:application", "--host", HOST, "--port", str(plan.port))
    # Django knows no lifespan events; open event streams would otherwise hold up the end.
    brief = ("--no-access-log", "--log-level", "warning", "--lifespan", "off", "--timeout-graceful-shutdown", "3")
    return replace(python("web", plan, *serve, *brief), ready=partial(answers, plan.port, "/health"))


def worker(plan: Plan, *, name: str = "worker", app: str = "myloware") -> Program:
    return _worker(plan, name, app, "-Q", "urgent,runs,media", "-c", str(plan.workers))


def renderer(plan: Plan) -> Program:
    """A worker of its own, so that no stage, publish or takeover waits behind a film that is being rendered."""
    return _worker(plan, "renderer", "myloware.renderer", "-Q", "renders")


def _worker(plan: Plan, name: str, app: str, *options: str) -> Program:
    # Workers have nothing to tell each other before they start.
    alone = ("-n", f"{name}@%h", "--loglevel", "INFO", "--without-gossip", "--without-mingle")
    program = python(name, plan, *_CELERY, "-A", app, "worker", *options, *alone)
    # Soft shutdown: running tasks get worker_soft_shutdown_timeout to end, then they are handed back.
    return replace(program, stop_signals=(signal.SIGQUIT,))


def beat(plan: Plan) -> Program:
    schedule = ("--schedule", str(plan.data_dir / "beat-schedule"), "--loglevel", "WARNING")
    return python("beat", plan, *_CELERY, "-A", "myloware", "beat", *schedule)


def flower(plan: Plan) -> Program:
    listen = (f"--address={HOST}", f"--port={plan.flower_port}", "--logging=error")
    program = python("flower", plan, *_CELERY, "flower", *listen)
    # Not as arguments: every user of the machine sees those.
    secrets = {"CELERY_BROKER_URL": plan.broker_url, "FLOWER_BASIC_AUTH": f"{ADMIN}:{plan.admin_password}"}
    return _with_env(program, **_WITHOUT_DJANGO, **secrets)


def simulators(plan: Plan) -> Program:
    return python("simulators", plan, "manage.py", "simulators", "--port", str(plan.simulators_port))


def python(name: str, plan: Plan, *arguments: str) -> Program:
    """``python ARGUMENTS`` in the project's folder."""
    # Never a console script: its first line cannot name an interpreter in a path with a space.
    return Program(name, (sys.executable, *arguments), env=_ENV, cwd=plan.base_dir)


def _with_env(program: Program, **variables: str) -> Program:
    return replace(program, env={**program.env, **variables})


def _emptied(folder: Path) -> Path:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder
