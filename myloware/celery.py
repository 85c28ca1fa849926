"""The Celery application; tasks live in the apps' ``tasks`` modules."""

from __future__ import annotations

import os

from celery import Celery
from celery.signals import import_modules, task_prerun, worker_process_init

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "myloware.settings")

app = Celery("myloware")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()


@import_modules.connect(sender=app)
def _check_settings(**_: object) -> None:
    """Worker, beat and Flower come by here once, before they fork."""
    from .checks import refuse_a_bad_start

    refuse_a_bad_start()


@worker_process_init.connect
def keep_connections(**_: object) -> None:
    """A worker's process does one task after the other and need not connect to the database anew for each."""
    from django.db import connections

    for connection in connections.all():
        connection.settings_dict |= {"CONN_MAX_AGE": 60, "CONN_HEALTH_CHECKS": True}
    task_prerun.connect(_drop_broken_connections)


def _drop_broken_connections(**_: object) -> None:
    from django.db import close_old_connections

    close_old_connections()
