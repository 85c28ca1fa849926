"""``manage.py kb_reembed``: after another ``EMBEDDINGS_MODEL`` was chosen."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from django.core.management.base import BaseCommand, CommandError
from rich.console import Console
from rich.progress import Progress

from knowledge.embeddings import current_model
from knowledge.models import Chunk
from knowledge.reembed import reembed
from myloware.kernel.errors import MylowareError

if TYPE_CHECKING:
    from argparse import ArgumentParser


class Command(BaseCommand):
    help = (
        "Embeds every passage of another model with EMBEDDINGS_MODEL; the search goes on. Leave the old model's key "
        "set until it is done, or what waits is not found."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--dry-run", action="store_true", help="say how many passages wait, and do nothing")

    def handle(self, *, dry_run: bool, **_: Any) -> None:
        waiting = Chunk.objects.exclude(embedding_model=current_model()).count()
        if dry_run:
            self.stdout.write(f"would embed {waiting} passages with {current_model()}")
            return
        started = time.monotonic()
        done = self._reembed(waiting)
        seconds = time.monotonic() - started
        self.stdout.write(
            f"{done} passages with {current_model()} in {seconds:.2f} s ({done / max(seconds, 1e-3):.0f}/s)"
        )

    def _reembed(self, waiting: int) -> int:
        console = Console(stderr=True)
        with Progress(console=console, transient=True, disable=not console.is_terminal) as progress:
            task = progress.add_task("embedding", total=waiting)
            try:
                return reembed(lambda done: progress.update(task, completed=done))
            except MylowareError as error:
                raise CommandError(error.message) from error
