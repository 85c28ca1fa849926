"""A project's latest films, as many as its ``archiveRuns`` says: what Iggy must not think of again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from knowledge.archive import Paper, keep

from .models import Artifact, Run
from .states import RunStatus

if TYPE_CHECKING:
    from collections.abc import Iterator
    from uuid import UUID


def headers(run: Run) -> list[str]:
    """The headers of the films' ideas."""
    papers = Artifact.objects.filter(type="idea", run__in=_films(run)).values_list("metadata", flat=True)
    return list(dict.fromkeys(idea["header"] for ideas in papers for idea in ideas["ideas"]))


def file_films(run: Run) -> None:
    """Brings the films' ideas, scripts and captions into the knowledge base, for this project's Iggy alone."""
    if run.project.spec.settings.get("archiveRuns"):
        films = _films(run)
        made = _made(films)
        keep([_paper(film, made[film.id]) for film in films], project=run.project.slug, persona="iggy")


def _films(run: Run) -> list[Run]:
    films = Run.objects.filter(project=run.project, status=RunStatus.SUCCEEDED).exclude(id=run.id)
    return list(films[: int(run.project.spec.settings.get("archiveRuns", 0))])


def _made(films: list[Run]) -> dict[UUID, dict[str, Any]]:
    """Of each film the last paper of each kind, which is what was filmed; those before it went back."""
    made: dict[UUID, dict[str, Any]] = {film.id: {} for film in films}
    papers = Artifact.objects.filter(run__in=films, type__in=("idea", "script", "publish.draft"))
    for film, kind, paper in papers.order_by("created_at").values_list("run_id", "type", "metadata"):
        made[film][kind] = paper
    return made


def _paper(film: Run, made: dict[str, Any]) -> Paper:
    title = f"Made already: {' '.join(film.payload.input.brief.split())[:150]}"
    return Paper(f"{film.id}.md", title, "\n\n".join(_sections(made)))


def _sections(papers: dict[str, Any]) -> Iterator[str]:
    ideas, script = papers.get("idea", {}), papers.get("script", {})
    yield "## Ideas\n\n" + "\n".join(map(_idea, ideas.get("ideas", [])))
    yield "## Script\n\n" + "\n\n".join(str(clip["prompt"]) for clip in script.get("clips", []))
    yield "## Published\n\n" + str(papers.get("publish.draft", {}).get("caption", ""))


def _idea(idea: dict[str, Any]) -> str:
    return ": ".join(filter(None, (str(idea["header"]), str(idea.get("concept", "")))))
