"""The Celery application; tasks live in the apps' ``tasks`` modules."""

from __future__ import annotations

import os

from celery import Celery

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "myloware.settings")

app = Celery("myloware")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()
