"""Staff pages: the list of runs, and one run that updates itself while it moves."""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING, Any
from uuid import UUID

from django.contrib import messages
from django.contrib.admin.views.decorators import staff_member_required
from django.contrib.auth.decorators import permission_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.template.loader import render_to_string
from django.utils import timezone
from django.views.decorators.http import require_POST, require_safe

from myloware.kernel.errors import MylowareError

from . import services
from .models import Run
from .story import Story, with_standing, with_story

if TYPE_CHECKING:
    from collections.abc import Callable

    from django.utils.safestring import SafeString

LATEST = 60
_PIECES = ("status", "trouble", "actions", "slate", "pipeline", "film", "draft", "history")
# What htmx takes as "stop asking": https://htmx.org/docs/#polling
_STOP_POLLING = 286


@dataclass(frozen=True)
class Piece:
    """A part of the page that is sent again only when it has changed, so that no player restarts."""

    id: str
    html: SafeString
    role: str = ""

    @property
    def rev(self) -> str:
        return sha256(f"{self.id} {self.html}".encode()).hexdigest()[:16]


@staff_member_required
@require_safe
def run_list(request: HttpRequest) -> HttpResponse:
    """The latest runs, the moving ones first."""
    stories = [Story(run) for run in with_standing(Run.objects.all())[:LATEST]]
    stories.sort(key=lambda story: not story.run.active)
    return render(request, "runs/list.html", {"stories": stories})


@staff_member_required
@require_safe
def run_page(request: HttpRequest, run_id: UUID) -> HttpResponse:
    """Everything about one run."""
    story = _story(run_id)
    pieces = _pieces(request, story)
    context = {"run": story.run, "story": story, "pieces": pieces, "shots": _shots(story), "now": timezone.now()}
    return render(request, "runs/run.html", context)


@staff_member_required
@require_safe
def run_pieces(request: HttpRequest, run_id: UUID) -> HttpResponse:
    """The pieces that the page, which names the revisions it shows, does not have yet."""
    story = _story(run_id)
    known = set(request.GET.getlist("rev"))
    pieces = [*_pieces(request, story).values(), *_shots(story)]
    fresh = [piece for piece in pieces if piece.rev not in known]
    status = 200 if story.run.active else _STOP_POLLING
    return render(request, "runs/pieces.html", {"pieces": fresh}, status=status)


def _story(run_id: UUID) -> Story:
    return Story(get_object_or_404(with_story(Run.objects.all()), id=run_id))


def _pieces(request: HttpRequest, story: Story) -> dict[str, Piece]:
    context = {
        "run": story.run,
        "story": story,
        "events": story.run.events.order_by("-id"),
        "may_change": request.user.has_perm("runs.change_run"),
    }
    return {name: Piece(name, _html(name, context)) for name in _PIECES}


def _shots(story: Story) -> list[Piece]:
    return [Piece(f"shot-{shot.number}", _html("shot", {"shot": shot}), "listitem") for shot in story.shots]


def _html(name: str, context: dict[str, Any]) -> SafeString:
    return render_to_string(f"runs/pieces/{name}.html", context)


def _verb(verb: Callable[..., Run]) -> Callable[..., HttpResponse]:
    @staff_member_required
    @permission_required("runs.change_run", raise_exception=True)
    @require_POST
    def view(request: HttpRequest, run_id: UUID) -> HttpResponse:
        try:
            verb(run_id, actor=request.user.get_username())
        except MylowareError as error:
            messages.error(request, error.message)
        return redirect("run-page", run_id=run_id)

    return view


retry_run = _verb(services.retry)
cancel_run = _verb(services.cancel)
