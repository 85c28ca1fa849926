"""``manage.py kb_ingest PATH``: brings a folder of documents into the knowledge base."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from django.core.management.base import BaseCommand, CommandError
from rich.console import Console
from rich.progress import Progress

from knowledge.ingest import Report, ingest
from myloware.kernel.errors import MylowareError

if TYPE_CHECKING:
    from argparse import ArgumentParser

# Most of the time goes into the vector index, on one processor for each.
WRITERS = 2


class Command(BaseCommand):
    help = "Reads Markdown, JSON, text and PDF files below PATH into the knowledge base; unchanged files are skipped."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("path", type=Path, metavar="PATH", help="folder with the documents")
        parser.add_argument("--project", help="for this project, where the path has no projects/<slug>/")
        parser.add_argument("--persona", help="for this persona, where the path has no personas/<name>/")
        parser.add_argument("--prune", action="store_true", help="remove documents whose file is gone from PATH")
        parser.add_argument("--dry-run", action="store_true", help="say what would be done, and do nothing")

    def handle(self, *, path: Path, dry_run: bool, **options: Any) -> None:
        """Exit status: 0 all read, 1 a file was refused (the others are in) or embedding failed, 2 no such folder."""
        if not path.is_dir():
            raise CommandError(f"There is no folder {path}.", returncode=2)
        report = self._ingest(path, dry_run=dry_run, options=options)
        for refused in report.refused:
            self.stderr.write(f"refused {refused.path}: {refused.reason}")
        self.stdout.write(("would do: " if dry_run else "") + summary(report))
        if report.refused:
            raise CommandError(f"{len(report.refused)} files were refused; the others are in.", returncode=1)

    def _ingest(self, path: Path, *, dry_run: bool, options: dict[str, Any]) -> Report:
        wanted = {name: options[name] for name in ("project", "persona", "prune")}
        console = Console(stderr=True)
        with Progress(console=console, transient=True, disable=not console.is_terminal) as progress:
            task = progress.add_task("reading")

            def show(report: Report) -> None:
                progress.update(task, total=report.found, completed=report.done, description=rate(report))

            try:
                return ingest(path, dry_run=dry_run, writers=WRITERS, on_progress=show, **wanted)
            except MylowareError as error:
                raise CommandError(error.message) from error


def rate(report: Report) -> str:
    """Passages embedded, and how many a second."""
    return f"{report.chunks} chunks ({report.chunks / max(report.seconds, 1e-3):.0f}/s)"


def summary(report: Report) -> str:
    """The report in one line."""
    counts = {name: getattr(report, name) for name in ("added", "updated", "unchanged", "removed")}
    parts = [f"{number} {name}" for name, number in counts.items()] + [f"{len(report.refused)} refused"]
    return f"{', '.join(parts)}; {rate(report)} in {report.seconds:.2f} s"
