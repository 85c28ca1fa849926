"""Projects, runs and their history in the admin. A run changes by actions, which call services, and by nothing else."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

from django import forms
from django.contrib import admin, messages
from django.contrib.auth.decorators import permission_required
from django.db.models import Count, Model
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.decorators import method_decorator
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.timesince import timesince
from django.views.decorators.http import require_POST
from pydantic import BaseModel

from myloware.kernel.admin import ReadOnly
from myloware.kernel.errors import Conflict, InvalidInput, MylowareError

from . import dispatch, jobs, letters, services
from .models import Approval, Artifact, Outbox, Project, ProjectSocial, ProviderJob, Run, RunEvent, Social, Spend, Step
from .money import dollars
from .schemas import RunInput, RunOptions
from .story import Story, took, with_standing, with_story

if TYPE_CHECKING:
    from collections.abc import Callable
    from uuid import UUID

    from django.db.models import QuerySet
    from django.http import HttpRequest, HttpResponse

M = TypeVar("M", bound=Model)


def pretty(value: Any) -> SafeString:
    """JSON behind a fold."""
    plain = value.model_dump(mode="json", by_alias=True) if isinstance(value, BaseModel) else value
    text = json.dumps(plain, indent=2, ensure_ascii=False)
    return format_html("<details><summary>JSON, {} lines</summary><pre>{}</pre></details>", text.count("\n") + 1, text)


def player(path: str) -> SafeString | str:
    """A stored file as something to look at, or nothing."""
    if path.endswith(".mp4"):
        return format_html(
            '<video class="runs-media" controls playsinline preload="metadata" src="/media/{}#t=0.5"></video>', path
        )
    if path.endswith((".jpg", ".png")):
        return format_html('<img class="runs-media" loading="lazy" alt="" src="/media/{}">', path)
    return format_html('<a href="/media/{0}">{0}</a>', path) if path else ""


def run_link(row: Any) -> SafeString:
    """The row's run; wants ``run`` to be selected."""
    return format_html('<a href="{}">{}</a>', reverse("admin:runs_run_change", args=[row.run_id]), row.run)


class History(ReadOnly[M]):
    """Rows of what happened."""

    list_per_page = 50
    show_full_result_count = False

    class Media:
        css = {"all": ("runs/admin.css",)}


class OfRun(History[M]):
    """Rows of a run."""

    list_select_related: ClassVar[tuple[str, ...]] = ("run",)

    @admin.display(description="run", ordering="run__created_at")
    def its_run(self, row: M) -> SafeString:
        return run_link(row)


# --- Projects


class AccountInline(admin.StackedInline[ProjectSocial, Project]):
    """Not as a table: its cells have no labels that a screen reader could read."""

    model = ProjectSocial
    extra = 0
    verbose_name = "account"
    autocomplete_fields = ("social",)


@admin.register(Project)
class ProjectAdmin(admin.ModelAdmin[Project]):
    """The project files are the source; only the accounts are mapped here."""

    list_display = ("title", "slug", "clips", "aspect_ratio", "crew", "run_count", "updated_at")
    search_fields = ("slug", "title", "description")
    fields = ("title", "slug", "description", "file", "created_at", "updated_at")
    readonly_fields = fields
    inlines = (AccountInline,)

    class Media:
        css = {"all": ("runs/admin.css",)}

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Project | None = None) -> bool:
        return False

    def get_queryset(self, request: HttpRequest) -> QuerySet[Project]:
        return super().get_queryset(request).annotate(run_count=Count("runs"))

    @admin.display(description="clips")
    def clips(self, project: Project) -> str:
        return f"{project.spec.specs.video_count} × {project.spec.specs.video_duration_s:g} s"

    @admin.display(description="format")
    def aspect_ratio(self, project: Project) -> str:
        return str(project.spec.specs.aspect_ratio)

    @admin.display(description="crew")
    def crew(self, project: Project) -> str:
        return " → ".join(project.spec.workflow)

    @admin.display(description="runs", ordering="run_count")
    def run_count(self, project: Any) -> int:
        count: int = project.run_count
        return count

    @admin.display(description="project file")
    def file(self, project: Project) -> SafeString:
        return pretty(project.spec)


@admin.register(Social)
class SocialAdmin(admin.ModelAdmin[Social]):
    list_display = ("account_id", "provider", "used_by", "privacy", "rate_limit_window", "created_at")
    list_filter = ("provider", "privacy")
    search_fields = ("account_id", "provider")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Social]:
        return super().get_queryset(request).prefetch_related("projects")

    @admin.display(description="projects")
    def used_by(self, social: Social) -> str:
        return ", ".join(project.slug for project in social.projects.all())


@admin.register(ProjectSocial)
class ProjectSocialAdmin(admin.ModelAdmin[ProjectSocial]):
    list_display = ("project", "social", "is_primary")
    list_filter = ("project", "is_primary")
    list_select_related = ("project", "social")
    autocomplete_fields = ("project", "social")
    search_fields = ("project__slug", "social__account_id")


# --- Runs


class StartForm(forms.ModelForm[Run]):
    """What a run needs to begin; everything else the project says."""

    prompt = forms.CharField(
        label="Brief",
        min_length=3,
        max_length=400,
        widget=forms.Textarea(attrs={"rows": 3, "cols": 60}),
        help_text='What the film is about, e.g. "the moon orders a cheeseburger".',
    )
    seed = forms.IntegerField(
        min_value=0, max_value=2**31 - 1, initial=0, help_text="The same brief and seed make the same film offline."
    )
    propose = forms.BooleanField(
        label="Stop at the plan", required=False, help_text="Wait until somebody has approved the plan."
    )

    class Meta:
        model = Run
        fields = ("project",)

    def start(self, actor: str) -> Run:
        """Raises what ``services.create_run`` raises."""
        wanted = self.cleaned_data
        return services.create_run(
            project=wanted["project"],
            input=RunInput(prompt=wanted["prompt"]),
            options=RunOptions(seed=wanted["seed"]),
            user_id=actor,
            actor=actor,
            approved_by="" if wanted["propose"] else actor,
        )


@admin.register(Run)
class RunAdmin(History[Run]):
    list_display = ("brief", "project", "state", "progress", "stands_at", "age", "user_id", "page")
    list_filter = ("status", "project", "created_at")
    search_fields = ("=id", "user_id", "payload__input", "reason")
    date_hierarchy = "created_at"
    actions = ("retry_runs", "resume_runs", "cancel_runs")
    fieldsets = (
        (None, {"fields": ("brief", "project", "state", "stands_at", "reason", "user_id", "took", "spent")}),
        ("Family", {"fields": ("forked_from",)}),
        ("Times", {"fields": ("created_at", "updated_at", "finished_at")}),
        ("Data", {"fields": ("id", "payload_json", "result_json")}),
    )
    readonly_fields = ("brief", "state", "stands_at", "took", "spent", "payload_json", "result_json")
    change_form_template = "admin/runs/run/change_form.html"
    add_form_template = "admin/change_form.html"

    # --- Starting one

    def has_add_permission(self, request: HttpRequest) -> bool:
        return may_operate(request)

    def get_form(self, request: HttpRequest, obj: Run | None = None, change: bool = False, **kwargs: Any) -> Any:
        return super().get_form(request, obj, change, **kwargs) if obj else StartForm

    def get_fieldsets(self, request: HttpRequest, obj: Run | None = None) -> Any:
        return self.fieldsets if obj else [(None, {"fields": ("project", "prompt", "seed", "propose")})]

    def get_readonly_fields(self, request: HttpRequest, obj: Run | None = None) -> Any:
        return self.readonly_fields if obj else ()

    def save_form(self, request: HttpRequest, form: Any, change: bool) -> Run:
        run: Run = form.start(request.user.get_username())
        return run

    def save_model(self, request: HttpRequest, obj: Run, form: Any, change: bool) -> None:
        """Nothing is left to save: the service has."""

    def save_related(self, request: HttpRequest, form: Any, formsets: Any, change: bool) -> None:
        """A run has no rows that people write."""

    def response_add(self, request: HttpRequest, obj: Run, post_url_continue: str | None = None) -> HttpResponse:
        return redirect("run-page", obj.pk)

    # --- Reading one

    def get_queryset(self, request: HttpRequest) -> QuerySet[Run]:
        return with_standing(super().get_queryset(request))

    def get_object(self, request: HttpRequest, object_id: str, from_field: str | None = None) -> Run | None:
        run = super().get_object(request, object_id, from_field)
        return with_story(Run.objects.filter(pk=run.pk)).first() if run else None

    def view_on_site(self, run: Run) -> str:
        return reverse("run-page", args=[run.pk])

    def has_operate_permission(self, request: HttpRequest) -> bool:
        return may_operate(request)

    @admin.display(description="brief")
    def brief(self, run: Run) -> str:
        return str(run.payload.input.brief)

    @admin.display(description="status", ordering="status")
    def state(self, run: Run) -> SafeString:
        return format_html('<span class="runs-state runs-state--{0}">{0}</span>', run.status)

    @admin.display(description="progress")
    def progress(self, run: Run) -> str:
        story = Story(run)
        return f"{story.done}/{story.total}"

    @admin.display(description="stands at")
    def stands_at(self, run: Run) -> str:
        return Story(run).headline

    @admin.display(description="age", ordering="created_at")
    def age(self, run: Run) -> str:
        return timesince(run.created_at)

    @admin.display(description="page")
    def page(self, run: Run) -> SafeString:
        return format_html('<a href="{}">watch</a>', reverse("run-page", args=[run.pk]))

    @admin.display(description="brief to end")
    def took(self, run: Run) -> str:
        return Story(run).wall_time or "-"

    @admin.display(description="spent")
    def spent(self, run: Run) -> str:
        return Story(run).cost or "-"

    @admin.display(description="payload")
    def payload_json(self, run: Run) -> SafeString:
        return pretty(run.payload)

    @admin.display(description="result")
    def result_json(self, run: Run) -> SafeString:
        return pretty(run.result)

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any
    ) -> HttpResponse:
        if kwargs["obj"] is None:
            plain = {
                **context,
                "title": "Start a run",
                "show_save_and_continue": False,
                "show_save_and_add_another": False,
            }
            return super().render_change_form(request, plain, *args, **kwargs)
        return super().render_change_form(
            request,
            {**context, **_parts(kwargs["obj"]), "may_operate": self.has_operate_permission(request)},
            *args,
            **kwargs,
        )

    # --- Actions

    @admin.action(description="Retry what failed", permissions=["operate"])
    def retry_runs(self, request: HttpRequest, runs: QuerySet[Run]) -> None:
        actor = request.user.get_username()
        _each(self, request, runs, lambda run: services.retry(run.id, actor=actor), "sent to work again")

    @admin.action(description="Wake (harmless: sends a lost wake-up again)", permissions=["operate"])
    def resume_runs(self, request: HttpRequest, runs: QuerySet[Run]) -> None:
        _each(self, request, runs, lambda run: services.resume(run.id), "woken")

    @admin.action(description="Cancel for good", permissions=["operate"])
    def cancel_runs(self, request: HttpRequest, runs: QuerySet[Run]) -> HttpResponse | None:
        if "confirmed" not in request.POST:
            return _ask_before_cancel(self, request, runs)
        actor = request.user.get_username()
        reason = f"cancelled by {actor}"
        _each(self, request, runs, lambda run: services.cancel(run.id, actor=actor, reason=reason), "cancelled")
        return None


def _each(
    site: admin.ModelAdmin[M], request: HttpRequest, rows: QuerySet[M], do: Callable[[M], object], done: str
) -> None:
    """Does it to every row by itself: one that refuses does not hold up the others."""
    moved = 0
    for row in rows:
        try:
            do(row)
            moved += 1
        except MylowareError as error:
            site.message_user(request, f"{row}: {error.message}", messages.ERROR)
    if moved:
        what = site.opts.verbose_name if moved == 1 else site.opts.verbose_name_plural
        site.message_user(request, f"{moved} {what} {done}.", messages.SUCCESS)


def _ask_before_cancel(site: RunAdmin, request: HttpRequest, runs: QuerySet[Run]) -> TemplateResponse:
    context = {**site.admin_site.each_context(request), "opts": Run._meta, "runs": runs, "title": "Cancel these runs?"}
    return TemplateResponse(request, "admin/runs/run/cancel.html", context)


def _parts(run: Run) -> dict[str, Any]:
    """What the change page tells besides the run's own fields."""
    story, artifacts = Story(run), Artifact.objects.filter(run=run)
    return {
        "story": story,
        "timeline": [(step, story.station(step)) for step in story.steps],
        "files": [(artifact, player(artifact.path)) for artifact in artifacts if artifact.path],
        "papers": [artifact for artifact in artifacts if not artifact.path],
        "jobs": [(job, _cost(job)) for job in run.jobs.all()],
        "decisions": run.approvals.all(),
        "events": RunEvent.objects.filter(run=run),
    }


def _cost(job: ProviderJob) -> str:
    return "" if job.cost_microusd is None else dollars(job.cost_microusd)


def may_operate(request: HttpRequest) -> bool:
    """Who may move runs: the right to change them, though nobody edits their rows."""
    return request.user.has_perm("runs.change_run")


def _retry_clip(job: ProviderJob, actor: str) -> Run:
    if job not in services.current_jobs(job.run, "clips"):
        raise Conflict("Only a clip can be ordered anew by itself, and only one that was not revised away.")
    return services.retry(job.run_id, actor=actor, clip=job.index)


def _page_url(request: HttpRequest) -> str:
    """The address that was typed, or "" for "nothing was published". Raises ``InvalidInput`` for anything else."""
    url = request.POST.get("url", "").strip()
    if request.POST.get("found") == "nothing":
        return ""
    if not url.startswith(("https://", "http://")):
        raise InvalidInput("Give the address of the published film, beginning with https://.")
    return url


# --- Rows of runs


class Dead(admin.SimpleListFilter):
    """Steps that are dead letters."""

    title = "killed its workers"
    parameter_name = "dead"

    def lookups(self, request: HttpRequest, model_admin: admin.ModelAdmin[Any]) -> list[tuple[str, str]]:
        return [("yes", f"Yes ({letters.KINDS['step'].count()})")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Step]) -> QuerySet[Step]:
        return queryset.filter(id__in=letters.KINDS["step"].values("id")) if self.value() else queryset


@admin.register(Step)
class StepAdmin(OfRun[Step]):
    list_display = ("name", "kind", "position", "its_run", "status", "attempt", "duration", "error", "started_at")
    list_filter = (Dead, "status", "kind", "name")
    actions = ("replay", "resolve")
    search_fields = ("=run__id", "name", "error", "notes")
    date_hierarchy = "started_at"
    ordering = ("-started_at", "position")
    exclude = ("output",)
    readonly_fields = ("output_json",)

    def has_operate_permission(self, request: HttpRequest) -> bool:
        return may_operate(request)

    @admin.action(description="Replay steps that killed their workers: retry their runs", permissions=["operate"])
    def replay(self, request: HttpRequest, steps: QuerySet[Step]) -> None:
        actor = request.user.get_username()
        _each(self, request, steps, lambda step: letters.replay(f"step:{step.pk}", actor=actor), "replayed")

    @admin.action(description="Resolve steps that killed their workers: cancel their runs", permissions=["operate"])
    def resolve(self, request: HttpRequest, steps: QuerySet[Step]) -> None:
        actor = request.user.get_username()
        _each(self, request, steps, lambda step: letters.resolve(f"step:{step.pk}", actor=actor), "resolved")

    @admin.display(description="took")
    def duration(self, step: Step) -> str:
        return took(step)

    @admin.display(description="output")
    def output_json(self, step: Step) -> SafeString:
        return pretty(step.output)


@admin.register(Artifact)
class ArtifactAdmin(OfRun[Artifact]):
    list_display = ("type", "its_run", "step", "thumbnail", "url", "created_at")
    list_filter = ("type",)
    list_select_related = ("run", "step")
    search_fields = ("=run__id", "=checksum", "url")
    date_hierarchy = "created_at"
    exclude = ("metadata",)
    readonly_fields = ("thumbnail", "metadata_json")

    @admin.display(description="file")
    def thumbnail(self, artifact: Artifact) -> SafeString | str:
        return player(artifact.path)

    @admin.display(description="metadata")
    def metadata_json(self, artifact: Artifact) -> SafeString:
        return pretty(artifact.metadata)


@admin.register(Approval)
class ApprovalAdmin(OfRun[Approval]):
    list_display = ("gate", "verdict", "actor", "channel", "its_run", "comment", "created_at")
    list_filter = ("verdict", "gate", "channel")
    search_fields = ("=run__id", "actor", "comment")
    date_hierarchy = "created_at"


@admin.register(RunEvent)
class RunEventAdmin(OfRun[RunEvent]):
    list_display = ("created_at", "its_run", "subject", "old", "new", "reason", "actor")
    list_filter = ("new", "subject", "actor")
    search_fields = ("=run__id", "reason", "actor")
    date_hierarchy = "created_at"
    ordering = ("-id",)


class Unsettled(admin.SimpleListFilter):
    """Publishes of which a person has to find out what became of them."""

    title = "needs a person"
    parameter_name = "unsettled"

    def lookups(self, request: HttpRequest, model_admin: admin.ModelAdmin[Any]) -> list[tuple[str, str]]:
        return [("yes", f"Yes ({jobs.unsettled().count()})")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[ProviderJob]) -> QuerySet[ProviderJob]:
        return queryset.filter(id__in=jobs.unsettled().values("id")) if self.value() else queryset


@admin.register(ProviderJob)
class ProviderJobAdmin(OfRun[ProviderJob]):
    list_display = ("kind", "index", "provider", "status", "its_run", "external_id", "cost", "error", "submitted_at")
    list_filter = (Unsettled, "status", "provider", "kind")
    search_fields = ("=run__id", "=external_id", "error")
    change_form_template = "admin/runs/providerjob/change_form.html"
    actions = ("retry_clips",)
    date_hierarchy = "created_at"
    exclude = ("request", "report", "cost_microusd")
    readonly_fields = ("cost", "request_json", "report_json")

    def get_urls(self) -> list[URLPattern]:
        settle = path("<uuid:job_id>/settle/", self.admin_site.admin_view(self.settle), name="runs_providerjob_settle")
        return [settle, *super().get_urls()]

    def has_operate_permission(self, request: HttpRequest) -> bool:
        return may_operate(request)

    @admin.action(description="Order failed clips anew, each by itself", permissions=["operate"])
    def retry_clips(self, request: HttpRequest, chosen: QuerySet[ProviderJob]) -> HttpResponse | None:
        actor = request.user.get_username()
        _each(self, request, chosen, lambda job: _retry_clip(job, actor), "ordered anew")
        first = chosen.first()
        return redirect("admin:runs_run_change", first.run_id) if first and "back" in request.POST else None

    @method_decorator(permission_required("runs.change_run", raise_exception=True))
    @method_decorator(require_POST)
    def settle(self, request: HttpRequest, job_id: UUID) -> HttpResponse:
        """What a person found on the account: ``url`` of the film, or nothing."""
        try:
            jobs.settle_by_hand(job_id, url=_page_url(request), actor=request.user.get_username())
            self.message_user(request, "Settled. The run goes on, or can be retried.", messages.SUCCESS)
        except MylowareError as error:
            self.message_user(request, error.message, messages.ERROR)
        return redirect("admin:runs_providerjob_change", job_id)

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any
    ) -> HttpResponse:
        open_outcome = jobs.unsettled().filter(id=kwargs["obj"].id).exists() and may_operate(request)
        return super().render_change_form(request, {**context, "unsettled": open_outcome}, *args, **kwargs)

    @admin.display(description="cost", ordering="cost_microusd")
    def cost(self, job: ProviderJob) -> str:
        return _cost(job)

    @admin.display(description="request")
    def request_json(self, job: ProviderJob) -> SafeString:
        return pretty(job.request)

    @admin.display(description="report")
    def report_json(self, job: ProviderJob) -> SafeString:
        return pretty(job.report)


def _tokens(call: dict[str, Any]) -> str:
    return f"{call['input_tokens']:,} tokens in, {call['output_tokens']:,} out"


@admin.register(Spend)
class SpendAdmin(OfRun[Spend]):
    """What every order and every stage cost, or may cost."""

    list_display = ("what", "its_run", "provider", "status", "held", "cost", "day", "settled_at")
    list_filter = ("day", "run__project", "status", "provider")
    search_fields = ("=run__id", "=key", "what")
    date_hierarchy = "day"
    exclude = ("reserved_microusd", "settled_microusd", "calls")
    readonly_fields = ("held", "cost", "model_calls")

    @admin.display(description="held", ordering="reserved_microusd")
    def held(self, spend: Spend) -> str:
        return dollars(spend.reserved_microusd)

    @admin.display(description="model calls")
    def model_calls(self, spend: Spend) -> SafeString:
        lines = [(dollars(call["microusd"]), call["model"], _tokens(call)) for call in spend.calls]
        return format_html_join("", "<div>{} {}, {}</div>", lines)

    @admin.display(description="cost", ordering="settled_microusd")
    def cost(self, spend: Spend) -> str:
        return "" if spend.settled_microusd is None else dollars(spend.settled_microusd)


@admin.register(Outbox)
class OutboxAdmin(History[Outbox]):
    """Wake-ups that the broker has not taken; a row that stays has a reason."""

    list_display = ("__str__", "created_at", "due_at", "attempts", "error")
    actions = ("send_again", "discard")

    def has_operate_permission(self, request: HttpRequest) -> bool:
        return may_operate(request)

    @admin.action(description="Send again", permissions=["operate"])
    def send_again(self, request: HttpRequest, rows: QuerySet[Outbox]) -> None:
        chosen = rows.count()
        self.message_user(request, f"{dispatch.send_again(rows)} of {chosen} sent.")

    @admin.action(description="Discard: nobody needs to be woken", permissions=["operate"])
    def discard(self, request: HttpRequest, rows: QuerySet[Outbox]) -> None:
        self.message_user(request, f"{rows.delete()[0]} discarded.")
