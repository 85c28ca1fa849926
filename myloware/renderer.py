"""The Celery application of a worker that renders; ``celery -A myloware.renderer worker -Q renders``."""

from __future__ import annotations

import os
from typing import Any

from celery.concurrency.thread import TaskPool
from celery.signals import worker_init
from django.conf import settings

from myloware.celery import app, keep_connections

__all__ = ["app"]

# Whoever answers people or carries runs on comes first.
NICENESS = 10


class Threads(TaskPool):
    """One thread for each render: the work is done by FFmpeg, a process of its own."""

    def terminate_job(self, pid: int, signal: int | None = None) -> None:
        """Nothing: a render asks by itself whether the worker is to end. (Celery's own pool refuses to be asked.)"""


app.conf.worker_pool = f"{__name__}:{Threads.__name__}"
app.conf.worker_concurrency = settings.PROVIDERS.renders_at_once


@worker_init.connect
def _prepare(**_: Any) -> None:
    os.nice(NICENESS)
    keep_connections()
