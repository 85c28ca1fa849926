"""MyloWare: a crew of AI agents that makes short videos, from a sentence to a published film."""

from .celery import app as celery_app

__all__ = ["celery_app"]
