"""The approval page. GET shows it and decides nothing: mail scanners and link previews follow links too."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from uuid import UUID

from django.contrib.admin.views.decorators import staff_member_required
from django.contrib.auth.decorators import permission_required
from django.contrib.auth.views import redirect_to_login
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.decorators import method_decorator
from django.views import View
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_safe

from myloware.kernel.errors import Conflict, InvalidInput, MylowareError
from runs import services
from runs.models import Approval, Run, Step
from runs.policies import NotYours, policy_of
from runs.states import Verdict

from . import links
from .forms import DecisionForm, DraftForm, idea_edits
from .pages import outcome_of, page_of, standing_of, with_edits

if TYPE_CHECKING:
    from django.http.response import HttpResponseBase

# Nothing but our own style sheets, pictures and film; no script at all, and no frame around a decision.
_POLICY = (
    "default-src 'none'; style-src 'self'; img-src 'self'; media-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
_HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": _POLICY,
    # The token stands in the address.
    "Referrer-Policy": "no-referrer",
    "X-Robots-Tag": "noindex, nofollow",
}


LINK_HOLDER = "link holder"


# The signed token in the form is the authority, and no cookie is read: there is nothing a foreign site could ride on.
@method_decorator(csrf_exempt, name="dispatch")
class ApprovalPage(View):
    """``/v1/hitl/approve/{runId}/{gate}?token=...``: no login and no API key."""

    http_method_names = ["get", "head", "post"]

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        try:
            # A method that is not allowed is refused first.
            wanted = str(request.method).lower() in self.http_method_names
            return (_login(request, *args, **kwargs) if wanted else None) or super().dispatch(request, *args, **kwargs)
        except MylowareError as error:
            context = {"error": error, "others": isinstance(error, NotYours)}
            return _page(request, "hitl/closed.html", context, status=error.status)

    def get(self, request: HttpRequest, run_id: UUID, gate: str) -> HttpResponse:
        token = request.GET.get("token", "")
        found = links.read(token, run_id, gate)
        if found.approval:
            return _decided(request, found.step)
        if found.step.repairing:
            return _page(request, "hitl/repairing.html", page_of(found.step))
        if found.outdated:
            return _to(links.approval_path(found.step, recipient=found.recipient))
        context = {**page_of(found.step), **standing_of(found.step, found.recipient), "token": token}
        return _page(request, "hitl/approve.html", context)

    def post(self, request: HttpRequest, run_id: UUID, gate: str) -> HttpResponse:
        token = request.POST.get("token", "")
        found = links.read(token, run_id, gate)
        form = DecisionForm(request.POST)
        try:
            decided = _decide(request, found, form)
        except InvalidInput as error:
            return _again(request, found.step, token, error)
        except Conflict as error:
            if not found.approval:
                raise
            return _decided(request, found.step, first=error.message)
        if decided is None:
            return _to(links.approval_path(found.step, recipient=found.recipient, follows=True))
        return _to(links.page_path(run_id, gate, token))


class RepairFilm(ApprovalPage):
    """``POST /v1/hitl/repair/{runId}/{gate}``, signed like a decision; it leads back to the approval page."""

    http_method_names = ["post"]

    def post(self, request: HttpRequest, run_id: UUID, gate: str) -> HttpResponse:
        token = request.POST.get("token", "")
        found = links.read(token, run_id, gate)
        actor = found.recipient or LINK_HOLDER
        try:
            edits = _edits(found.step, DraftForm(request.POST))
            services.ask_for_repair(found.step.id, digest=found.digest, actor=actor, edits=edits)
        except InvalidInput as error:
            return _again(request, found.step, token, error)
        return _to(links.approval_path(found.step, recipient=found.recipient, follows=True))


@staff_member_required
@permission_required("runs.change_run", raise_exception=True)
@require_safe
def open_page(request: HttpRequest, run_id: UUID) -> HttpResponse:
    """Takes a member of the staff to the approval page of the gate that is open now, under their own name."""
    run = get_object_or_404(Run.objects.select_related("project"), id=run_id)
    step = links.open_gate(run)
    if step is None:
        return redirect("run-page", run_id=run_id)
    return redirect(links.approval_url(step, recipient=request.user.get_username()))


def _login(request: HttpRequest, run_id: UUID, gate: str) -> HttpResponse | None:
    """Leads to the login where the gate's policy wants one; None when nothing is to be done.

    Raises ``NotYours`` for users who are not in its group, and as :func:`links.read`.
    """
    token = request.GET.get("token") or request.POST.get("token", "")
    group = policy_of(links.read(token, run_id, gate).step).group
    if not group:
        return None
    if not request.user.is_authenticated:
        return redirect_to_login(links.page_path(run_id, gate, token))
    if group not in _groups(request):
        raise NotYours(f"Here decide members of '{group}', and {request.user.get_username()} is not one of them.")
    return None


def _groups(request: HttpRequest) -> frozenset[str]:
    user = request.user
    return frozenset(user.groups.values_list("name", flat=True)) if user.is_authenticated else frozenset()


def _decide(request: HttpRequest, found: links.Pass, form: DecisionForm) -> Approval | None:
    edits = _edits(found.step, form)
    verdict = Verdict(form.cleaned_data["verdict"])
    group = policy_of(found.step).group
    decision = services.Decision(
        verdict,
        actor=request.user.get_username() if group else found.recipient or LINK_HOLDER,
        channel="page",
        digest=found.digest,
        comment=form.cleaned_data["comment"].strip(),
        edits=edits if verdict == Verdict.APPROVE else {},
        stage=form.cleaned_data["stage"],
        groups=_groups(request) if group else frozenset(),
    )
    return services.decide(found.step.id, decision)


def _edits(step: Step, form: DraftForm) -> dict[str, Any]:
    """What the reviewer has changed in what the gate shows. Raises ``InvalidInput`` for what the form does not take."""
    if not form.is_valid():
        raise InvalidInput(form.faults())
    shown = services.shown_at(step)
    if "draft" in shown:
        return form.edits(shown["draft"])
    wishes = idea_edits(form.data, shown.get("ideas", []))
    return {"ideas": wishes} if wishes else {}


def _to(url: str) -> HttpResponse:
    return HttpResponse(status=303, headers={**_HEADERS, "Location": url})


def _again(request: HttpRequest, step: Step, token: str, error: InvalidInput) -> HttpResponse:
    """The same page with what was typed, and what is wrong with it."""
    typed = {name: request.POST[name] for name in ("title", "caption", "tags") if name in request.POST}
    context = page_of(step) | standing_of(step, "")
    context["draft"] = {**context["draft"], **typed}
    context["ideas"] = with_edits(context["ideas"], idea_edits(request.POST, context["ideas"]))
    entered = {"fault": error.message, "open": request.POST.get("verdict"), "comment": request.POST.get("comment", "")}
    return _page(
        request,
        "hitl/approve.html",
        {**context, **entered, "stage": request.POST.get("stage", ""), "token": token},
        status=error.status,
    )


def _decided(request: HttpRequest, step: Step, *, first: str = "") -> HttpResponse:
    """Who decided what and when. ``first`` tells somebody who came second that theirs did not count."""
    step = Step.objects.select_related("run__project", "approval").get(id=step.id)
    context = {**page_of(step), **outcome_of(step), "first": first}
    return _page(request, "hitl/decided.html", context, status=409 if first else 200)


def _page(request: HttpRequest, template: str, context: dict[str, Any], *, status: int = 200) -> HttpResponse:
    response = render(request, template, context, status=status)
    for name, value in _HEADERS.items():
        response.headers[name] = value
    return response
