"""Beat, which does the sweeps for lost work itself.

As tasks they would wait for a free worker behind the very work whose workers have died or hang.
"""

from __future__ import annotations

import logging
from typing import Any

from celery.beat import PersistentScheduler
from django.db import close_old_connections

log = logging.getLogger(__name__)

# Short: they look into the database and send wake-ups.
OWN = frozenset({"runs.sweep", "providers.sweep"})


class Scheduler(PersistentScheduler):
    """Sends what is due, and runs what is its own."""

    def apply_async(self, entry: Any, producer: Any = None, advance: bool = True, **kwargs: Any) -> Any:
        if entry.task not in OWN:
            return super().apply_async(entry, producer, advance, **kwargs)
        if advance:
            self.reserve(entry)
        try:
            self.app.tasks[entry.task]()
        except Exception:
            # A database or broker that is away comes back; the next sweep is two seconds away.
            log.exception("a sweep failed", extra={"task": entry.task})
        finally:
            close_old_connections()
        return None
