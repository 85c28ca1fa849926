"""Staff pages: the list of runs, and one run that updates itself while it moves."""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256
from itertools import groupby
from typing import TYPE_CHECKING, Any
from urllib.parse import quote
from uuid import UUID

from django.contrib import messages
from django.contrib.admin.views.decorators import staff_member_required
from django.contrib.auth.decorators import permission_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from myloware.kernel.errors import MylowareError

from . import fork, services
from .models import Run
from .money import dollars
from .story import Story, with_standing, with_story

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

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
    context = {
        "run": story.run,
        "story": story,
        "pieces": _pieces(request, story),
        "shots": _shots(request, story),
        "now": timezone.now(),
    }
    return render(request, "runs/run.html", context)


@staff_member_required
@require_safe
def run_pieces(request: HttpRequest, run_id: UUID) -> HttpResponse:
    """The pieces that the page, which names the revisions it shows, does not have yet."""
    story = _story(run_id)
    known = set(request.GET.getlist("rev"))
    pieces = [*_pieces(request, story).values(), *_shots(request, story)]
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
        "may_change": _may_change(request),
    }
    return {name: Piece(name, _html(name, context)) for name in _PIECES}


def _shots(request: HttpRequest, story: Story) -> list[Piece]:
    context = {"run": story.run, "may_retry": story.can_retry_clips and _may_change(request)}
    return [Piece(f"shot-{shot.number}", _html("shot", {**context, "shot": shot}), "listitem") for shot in story.shots]


def _may_change(request: HttpRequest) -> bool:
    return request.user.has_perm("runs.change_run")


def _html(name: str, context: dict[str, Any]) -> SafeString:
    return render_to_string(f"runs/pieces/{name}.html", context)


def _verb(verb: Callable[..., Run]) -> Callable[..., HttpResponse]:
    @staff_member_required
    @permission_required("runs.change_run", raise_exception=True)
    @require_POST
    def view(request: HttpRequest, run_id: UUID, **named: int) -> HttpResponse:
        try:
            verb(run_id, actor=request.user.get_username(), **named)
        except MylowareError as error:
            messages.error(request, error.message)
        return redirect("run-page", run_id=run_id)

    return view


retry_run = _verb(services.retry)
cancel_run = _verb(services.cancel)


# --- Fork


@dataclass(frozen=True)
class Line:
    """Orders of one kind that share a fate. ``cost`` is in dollars, or says that nobody knows."""

    what: str
    fate: str
    cost: str
    reason: str


@staff_member_required
@permission_required("runs.change_run", raise_exception=True)
@require_http_methods(["GET", "HEAD", "POST"])
def fork_page(request: HttpRequest, run_id: UUID) -> HttpResponse:
    """From where the run can be forked, and what each fork would do outside. A POST of ``step`` does it."""
    story = _story(run_id)
    if request.method == "POST":
        return _fork(request, story.run)
    starts = [_start(story, start) for start in fork.starts(story.run)]
    return render(request, "runs/fork.html", {"run": story.run, "starts": starts, "step": request.GET.get("step")})


def _fork(request: HttpRequest, run: Run) -> HttpResponse:
    step = request.POST.get("step", "")
    try:
        new = fork.fork(run, step, request.user.get_username())
    except MylowareError as error:
        messages.error(request, error.message)
        return redirect(f"{reverse('run-fork', args=[run.id])}?step={quote(step)}")
    return redirect("run-page", run_id=new.id)


def _start(story: Story, start: fork.Start) -> dict[str, Any]:
    total = fork.total_microusd(start.effects)
    return {
        "step": start.step,
        "station": story.station(start.step),
        "refusal": start.refusal,
        "lines": _lines(start.effects),
        "cost": _cost(total) if total != 0 else "",
    }


def _lines(effects: Iterable[fork.Effect]) -> list[Line]:
    groups = groupby(effects, key=lambda effect: (effect.kind, effect.fate, effect.reason))
    return [_line(list(group)) for _, group in groups]


def _line(alike: list[fork.Effect]) -> Line:
    first, number = alike[0], len(alike)
    what = f"{number} clips" if number > 1 else f"Clip {first.index + 1}" if first.kind == "clips" else first.kind
    cost = _cost(fork.total_microusd(alike)) if first.fate == fork.Fate.REDO else ""
    return Line(what.capitalize(), first.fate, cost, first.reason)


def _cost(microusd: int | None) -> str:
    return "cost not known" if microusd is None else dollars(microusd)
