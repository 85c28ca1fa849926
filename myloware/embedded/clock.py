"""The Celery application of beat: the timetable of the settings, without Django and the tasks' code (100 MB).

Beat sends messages by task name; only workers need the code.
"""

from __future__ import annotations

from celery import Celery

app = Celery("clock")
app.config_from_object("myloware.settings", namespace="CELERY")
