"""Money on the real database: what is held, what it comes to, and what happens at a cap."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

import pytest
from django.db import connection
from django.urls import reverse
from django.utils import timezone
from langchain_core.messages import AIMessage

from hitl.links import approval_url
from myloware.kernel.errors import BudgetExceeded, UnprocessableInput
from personas.base import ModelCall
from personas.prices import tokens_microusd
from personas.studio.model import StudioChatModel
from providers.base import Report, State
from providers.registry import adapter
from runs import jobs, money, services, sweeps, tasks
from runs.models import Project, ProviderJob, Run, Spend, Step
from runs.money import Cost
from runs.ports import Desk
from runs.schemas import ProjectSpec
from runs.services import Decision
from runs.states import JobStatus, RunStatus, StepStatus, Verdict
from runs.story import Story, with_story

from .journey import IDEAS, approve, ask_all, go, stage, to_clips, to_draft, videos, work

if TYPE_CHECKING:
    from collections.abc import Callable

    from django.test import Client
    from pytest_django.fixtures import Settings

    from .conftest import MakeRun

CLIP = 300_000


@pytest.fixture
def caps(settings: Settings) -> Callable[..., None]:
    """Sets caps in US dollars; those that are not named are off."""

    def set_caps(*, run: str = "0", project: str = "0", day: str = "0") -> None:
        limits = {"run_cap_usd": Decimal(run), "project_cap_usd": Decimal(project), "day_cap_usd": Decimal(day)}
        settings.RUNS = settings.RUNS.model_copy(update=limits)

    return set_caps


def cost(run: Run, microusd: int, key: str = "order-0") -> Cost:
    step = run.steps.get(name="iggy")
    step.run = run
    return Cost(key, step, "a thing", "kieai", microusd)


def gate_of(run: Run) -> Step:
    """The budget gate at which the run waits."""
    run.refresh_from_db()
    gate = run.cursor()
    assert gate is not None
    assert (gate.kind, gate.name, gate.status, run.status) == ("gate", "budget", StepStatus.WAITING, RunStatus.WAITING)
    return gate


def names(run: Run) -> list[str]:
    return list(run.steps.order_by("position").values_list("name", flat=True))


def spends(run: Run) -> list[tuple[str, str, int]]:
    return [(row.what, str(row.status), row.microusd) for row in run.spends.order_by("id")]


# --- Holding


@pytest.mark.django_db(transaction=True)
def test_64_threads_at_once_never_pass_a_cap_by_a_micro_dollar(make_run: MakeRun, caps: Callable[..., None]) -> None:
    caps(run="1.0", project="3.0", day="5.000001")
    runs = [make_run(slug) for slug in ("test_video_gen", "aismr") for _ in range(4)]
    asked = 166_667

    def ask(number: int) -> bool:
        try:
            money.reserve(cost(runs[number % len(runs)], asked, f"order-{number}"))
        except BudgetExceeded:
            return False
        finally:
            connection.close()
        return True

    with ThreadPoolExecutor(64) as threads:
        held = sum(threads.map(ask, range(64)))
    assert held == Spend.objects.count()
    # 5 of 6 fit into a run, 17 into a project, and 29, not 30, into the day.
    assert held == 29
    assert money.spent(timezone.now().date()) <= 5_000_001
    assert all(money.spent(run) <= 1_000_000 for run in runs)
    assert all(money.spent(project) <= 3_000_000 for project in Project.objects.all())
    # It was the cap that stopped them: nobody else can have one more, and a smaller one still fits.
    assert money.spent(timezone.now().date()) + asked > 5_000_001
    money.reserve(cost(runs[0], 5_000_001 - held * asked - 1, "the rest"))


def test_a_cap_may_be_reached_and_not_passed(run: Run, caps: Callable[..., None]) -> None:
    caps(run="1")
    money.reserve(cost(run, 1_000_000, "all"))
    with pytest.raises(BudgetExceeded, match=r"\$1\.00 per run would break: \$1\.00 is spent or held, and \$0\.000001"):
        money.reserve(cost(run, 1, "more"))
    money.reserve(cost(run, 0, "nothing"))
    assert money.spent(run) == 1_000_000


@pytest.mark.parametrize("name", ["project", "day"])
def test_a_cap_counts_the_runs_of_others(make_run: MakeRun, caps: Callable[..., None], name: str) -> None:
    caps(**{name: "1"})
    money.reserve(cost(make_run(), 999_999, "theirs"))
    with pytest.raises(BudgetExceeded) as refused:
        money.reserve(cost(make_run(), 2, "ours"))
    (broken,) = refused.value.detail["caps"]
    assert broken == {"name": name, "limit_microusd": 1_000_000, "spent_microusd": 999_999, "over_microusd": 1}
    assert (refused.value.detail["over_microusd"], refused.value.detail["run_spent_microusd"]) == (1, 0)


def test_another_project_and_another_day_have_caps_of_their_own(make_run: MakeRun, caps: Callable[..., None]) -> None:
    caps(project="1", day="1")
    money.reserve(cost(make_run(), 1_000_000, "yesterday's"))
    Spend.objects.update(day=timezone.now().date() - timedelta(days=1))
    money.reserve(cost(make_run("aismr"), 1_000_000, "ours"))


def test_what_is_held_is_not_held_again(run: Run, caps: Callable[..., None]) -> None:
    caps(run="1")
    for _ in range(3):
        money.reserve(cost(run, 600_000))
    assert spends(run) == [("a thing", "reserved", 600_000)]


def test_settling_counts_what_it_came_to_and_releasing_counts_nothing(run: Run, caps: Callable[..., None]) -> None:
    caps(run="1")
    money.reserve(cost(run, 600_000, "a"))
    money.settle(cost(run, 250_000, "a"))
    money.reserve(cost(run, 750_000, "b"))
    money.release("b")
    money.reserve(cost(run, 750_000, "c"))
    assert [row[1:] for row in spends(run)] == [("settled", 250_000), ("released", 0), ("reserved", 750_000)]
    money.release("a")
    assert money.spent(run) == 1_000_000


# --- Orders


def test_a_film_is_held_and_settled_order_by_order(run: Run) -> None:
    desk = to_clips(run)
    assert spends(run) == [("clip 1", "reserved", CLIP), ("clip 2", "reserved", CLIP)]
    told = Story(with_story(Run.objects.all()).get(id=run.id))
    assert told.cost == "$0.60 held"
    services.complete(desk.step, {})
    go(run)
    assert run.status == RunStatus.SUCCEEDED
    assert {row[:2] for row in spends(run)} == {(what, "settled") for what in ("clip 1", "clip 2", "render", "publish")}
    assert money.spent(run) == sum(job.cost_microusd or 0 for job in run.jobs.all()) > 600_000
    assert "held" not in Story(with_story(Run.objects.all()).get(id=run.id)).cost


def test_the_estimate_of_a_render_covers_what_it_comes_to(run: Run) -> None:
    go(run, "quinn")
    render = run.spends.get(what="render")
    assert render.settled_microusd is not None
    assert 0 < render.settled_microusd <= render.reserved_microusd


@pytest.mark.parametrize(
    ("edit", "seconds"),
    [
        ({"timeline": {"tracks": [{"clips": [{"start": 6.5, "length": 8}, {"start": 0, "length": 8}]}]}}, 15),
        ({"timeline": {"tracks": [{"clips": [{"start": 0, "length": "auto"}]}]}}, 60),
        ({"timeline": {"tracks": "none"}}, 60),
        ({}, 60),
    ],
)
def test_a_render_is_estimated_by_its_length_or_as_a_minute(edit: dict[str, Any], seconds: int) -> None:
    assert adapter("shotstack").estimate({"edit": edit}) == seconds * 5_000


def test_a_model_without_a_price_is_estimated_as_the_dearest() -> None:
    estimate = adapter("kieai").estimate
    assert estimate({"model": "veo-3-fast"}) == CLIP
    assert estimate({"model": "veo-9"}) == estimate({"model": "veo-3"}) > CLIP


def test_the_same_order_delivered_twice_is_held_once(run: Run) -> None:
    to_clips(run)
    for job in run.jobs.all():
        ProviderJob.objects.filter(id=job.id).update(status=JobStatus.INTENT, external_id="")
    jobs.submit_ready(run.id, "clips")
    tasks.submit(str(run.id), "clips")
    assert money.spent(run) == 2 * CLIP


def test_a_refused_order_gives_its_money_back_and_a_fresh_try_holds_its_own(run: Run) -> None:
    to_clips(run)
    job = run.jobs.get(index=0)
    jobs._failed(job, Report(state=State.FAILED, error="the model was too busy"))
    jobs.submit_ready(run.id, "clips")
    assert sorted(row[1:] for row in spends(run) if row[0] == "clip 1") == [("released", 0), ("reserved", CLIP)]


def test_a_failure_the_provider_charges_for_is_settled(run: Run) -> None:
    to_clips(run)
    job = run.jobs.get(index=0)
    jobs._failed(job, Report(state=State.FAILED, error="refused by the filter", cost_microusd=1_000))
    assert ("clip 1", "settled", 1_000) in spends(run)


def test_an_order_whose_answer_was_lost_stays_held_until_we_give_up(run: Run) -> None:
    to_clips(run)
    lost = ProviderJob.objects.filter(id=run.jobs.get(index=0).id)
    lost.update(status=JobStatus.UNKNOWN, external_id="")
    jobs.refresh(lost.get().id)
    assert ("clip 1", "reserved", CLIP) in spends(run)
    lost.update(deadline=timezone.now() - timedelta(seconds=1))
    jobs.refresh(lost.get().id)
    # It may have been billed: nobody can tell, so it counts.
    assert lost.get().status == JobStatus.FAILED
    assert ("clip 1", "settled", CLIP) in spends(run)


def test_what_a_cancelled_run_has_ordered_counts(run: Run) -> None:
    to_clips(run)
    services.cancel(run.id, actor="bob")
    assert {row[1:] for row in spends(run)} == {("settled", CLIP)}


def test_what_a_stage_held_whose_workers_all_died_counts(run: Run, settings: Settings) -> None:
    settings.CREW = settings.CREW.model_copy(update={"llm_model": "openai:gpt-5.5"})
    approve(run)
    money.reserve_stage(stage(run, "iggy"))
    for minutes in range(1, services.MAX_ATTEMPTS + 1):
        services.claim(run.steps.get(name="iggy").id, now=timezone.now() + timedelta(minutes=minutes))
    run.refresh_from_db()
    assert run.status == RunStatus.FAILED
    assert [row[1:] for row in spends(run)] == [("settled", 380_000)]


# --- The gate, at a wait


def at_the_wait(run: Run) -> Step:
    """The clips' wait, after a stage that could pay for none of them."""
    approve(run)
    services.complete(stage(run, "iggy"), IDEAS)
    riley = stage(run, "riley")
    jobs.order(riley, "clips", [Desk(riley)._clip_order(video) for video in videos()])
    services.complete(riley, {})
    wait = run.cursor()
    assert wait is not None
    return wait


def wait_for_clips(run: Run) -> None:
    tasks.wait_clips(str(run.id), str(run.steps.get(name="clips").id))


def test_a_wait_that_lacks_money_gives_way_to_a_gate(run: Run, caps: Callable[..., None]) -> None:
    caps(run="0.5")
    wait = at_the_wait(run)
    wait_for_clips(run)
    gate = gate_of(run)
    wait.refresh_from_db()
    assert (wait.status, wait.position, wait.deadline) == (StepStatus.PENDING, gate.position + 1, None)
    assert names(run)[2:5] == ["riley", "budget", "clips"]
    # The first was paid for; the second is what is asked for.
    assert list(run.jobs.values_list("status", flat=True)) == [JobStatus.SUBMITTED, JobStatus.INTENT]
    assert services.shown_at(gate)["money"] == {
        "what": "clip 2",
        "asked_microusd": CLIP,
        "over_microusd": 100_000,
        "run_spent_microusd": CLIP,
        "caps": [{"name": "run", "limit_microusd": 500_000, "spent_microusd": CLIP, "over_microusd": 100_000}],
    }


def test_nothing_wakes_a_run_that_waits_for_money(run: Run, caps: Callable[..., None]) -> None:
    caps(run="0.5")
    at_the_wait(run)
    wait_for_clips(run)
    gate = gate_of(run)
    later = timezone.now() + timedelta(days=1)
    assert (sweeps.lost_runs(later), sweeps.expired_waits(later), jobs.stranded(later)) == (0, 0, [])
    # Late wake-ups and a second delivery, and the first clip, which is ready.
    wait_for_clips(run)
    tasks.submit(str(run.id), "clips")
    jobs.refresh(run.jobs.get(index=0).id)
    tasks.settled(str(run.id), "clips")
    assert gate_of(run) == gate
    assert names(run).count("budget") == 1
    assert run.jobs.get(index=1).status == JobStatus.INTENT


def test_an_approval_lets_the_run_spend_so_much_and_not_more(run: Run, caps: Callable[..., None]) -> None:
    caps(run="0.5")
    at_the_wait(run)
    wait_for_clips(run)
    gate = gate_of(run)
    approve(run)
    gate.refresh_from_db()
    assert [money.allowance(run, cap, timezone.now().date()) for cap in ("run", "project", "day")] == [100_000, 0, 0]
    wait_for_clips(run)
    ask_all(run)
    cursor = run.cursor()
    assert cursor is not None
    assert cursor.name == "alex"
    with pytest.raises(BudgetExceeded):
        money.reserve(cost(run, 1))


def test_an_allowance_is_for_its_run_alone(make_run: MakeRun, caps: Callable[..., None]) -> None:
    caps(day="0.5")
    mine, theirs = make_run(), make_run()
    at_the_wait(mine)
    wait_for_clips(mine)
    approve(mine)
    with pytest.raises(BudgetExceeded):
        money.reserve(cost(theirs, 200_001))
    money.reserve(cost(theirs, 200_000))
    # They have taken what was left of the day, so people are asked once more, for what is lacking now.
    wait_for_clips(mine)
    assert gate_of(mine).output is not None
    approve(mine)
    wait_for_clips(mine)
    assert mine.jobs.get(index=1).status == JobStatus.SUBMITTED


def test_a_rejection_ends_the_run_with_its_reason_and_orders_nothing(run: Run, caps: Callable[..., None]) -> None:
    caps(run="0.5")
    at_the_wait(run)
    wait_for_clips(run)
    gate = gate_of(run)
    decision = Decision(Verdict.REJECT, "bob", "page", services.digest_of(gate), comment="too dear")
    services.decide(gate.id, decision)
    wait_for_clips(run)
    tasks.submit(str(run.id), "clips")
    run.refresh_from_db()
    assert (run.status, run.reason) == (RunStatus.REJECTED, "too dear")
    assert run.jobs.get(index=1).status == JobStatus.INTENT
    jobs.refresh(run.jobs.get(index=0).id)
    assert spends(run) == [("clip 1", "settled", CLIP)]


def test_money_is_not_revised(run: Run, caps: Callable[..., None]) -> None:
    caps(run="0.5")
    at_the_wait(run)
    wait_for_clips(run)
    with pytest.raises(UnprocessableInput, match="allowed or refused"):
        services.revise(run.id, "", "cheaper", "bob")
    gate_of(run)


def test_a_film_is_published_past_a_budget_gate_that_came_after_its_approval(run: Run) -> None:
    to_draft(run)
    approve(run)
    wait = run.cursor()
    assert wait is not None
    services.park(wait.id)
    detail = {"over_microusd": 1}
    wait.refresh_from_db()
    assert services.ask_for_money(wait, BudgetExceeded("more", **detail))
    gate = gate_of(run)
    decision = Decision(Verdict.APPROVE, "bob", "page", services.digest_of(gate))
    services.decide(gate.id, decision)
    go(run)
    assert run.status == RunStatus.SUCCEEDED


# --- The gate, in a stage


def asked_of_the_model(monkeypatch: pytest.MonkeyPatch, tokens: tuple[int, int] = (0, 0)) -> list[AIMessage]:
    """Every answer of the model from now on; each uses so many tokens."""
    answers: list[AIMessage] = []
    generate = StudioChatModel._generate

    def counted(model: StudioChatModel, *args: Any, **kwargs: Any) -> Any:
        result = generate(model, *args, **kwargs)
        message = result.generations[0].message
        assert isinstance(message, AIMessage)
        used = {"input_tokens": tokens[0], "output_tokens": tokens[1], "total_tokens": sum(tokens)}
        message.usage_metadata = used if any(tokens) else None  # type: ignore[assignment]
        if any(tokens):
            message.response_metadata = {"model_name": "gpt-5.5-2026-04-23"}
        answers.append(message)
        return result

    monkeypatch.setattr(StudioChatModel, "_generate", counted)
    return answers


def test_a_stage_that_lacks_money_stops_and_goes_on_without_paying_twice(
    agent_run: Run, caps: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    run = agent_run
    caps(run="0.5")
    approve(run)
    assert work(run, "iggy") == "done"
    answers = asked_of_the_model(monkeypatch)
    assert work(run, "riley") == "waits for money"
    gate = gate_of(run)
    riley = run.steps.get(name="riley")
    assert (riley.status, riley.position, riley.error) == (StepStatus.PENDING, gate.position + 1, "")
    assert names(run)[1:4] == ["iggy", "budget", "riley"]
    # The clip that was paid for is on its way; the other is asked for.
    assert list(run.jobs.values_list("status", flat=True)) == [JobStatus.SUBMITTED, JobStatus.INTENT]
    before = len(answers)
    # The chain's next link finds that it is not its turn.
    assert tasks.wait_clips(str(run.id), str(run.steps.get(name="clips").id)) == "not its turn"
    assert tasks._stage(str(run.id), str(riley.id)) == "nothing to claim"
    approve(run)
    assert work(run, "riley") == "done"
    assert len({message.tool_calls[0]["id"] for message in answers if message.tool_calls}) == len(answers) > before
    assert [job.external_id != "" for job in run.jobs.all()] == [True, True]
    assert money.spent(run) == 2 * CLIP
    caps()
    go(run)
    assert run.status == RunStatus.SUCCEEDED


def test_waiting_for_money_is_no_death_of_a_worker(run: Run) -> None:
    approve(run)
    for _ in range(services.MAX_ATTEMPTS + 1):
        services.ask_for_money(stage(run, "iggy"), BudgetExceeded("more", over_microusd=1))
        gate = gate_of(run)
        services.decide(gate.id, Decision(Verdict.APPROVE, "bob", "page", services.digest_of(gate)))
    now = timezone.now()
    iggy = run.steps.get(name="iggy")
    for attempt in range(services.MAX_ATTEMPTS):
        assert services.claim(iggy.id, now=now + timedelta(minutes=attempt)) is not None
    assert services.claim(iggy.id, now=now + timedelta(hours=1)) is None
    run.refresh_from_db()
    assert run.status == RunStatus.FAILED


def test_a_worker_that_was_taken_over_asks_for_nothing(run: Run) -> None:
    approve(run)
    late = stage(run, "iggy")
    taken = services.claim(late.id, now=timezone.now() + timedelta(minutes=1))
    assert taken is not None
    assert not services.ask_for_money(late, BudgetExceeded("more", over_microusd=1))
    assert services.complete(taken, IDEAS)
    assert not services.ask_for_money(taken, BudgetExceeded("more", over_microusd=1))
    assert "budget" not in names(run)


# --- Tokens


@pytest.fixture
def priced(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> list[AIMessage]:
    """The offline model under the name, and at the price, of another; each call uses 10,000 and 1,000 tokens."""
    settings.CREW = settings.CREW.model_copy(update={"llm_model": "openai:gpt-5.5"})
    monkeypatch.setattr("runs.crew.chat_model", lambda crew, *, seed, persona: StudioChatModel(seed=seed))
    return asked_of_the_model(monkeypatch, (10_000, 1_000))


def test_a_stage_is_settled_at_the_tokens_it_used(agent_run: Run, priced: list[AIMessage]) -> None:
    approve(agent_run)
    assert work(agent_run, "iggy") == "done"
    assert spends(agent_run) == [("iggy, openai:gpt-5.5", "settled", len(priced) * (50_000 + 30_000))]


def test_each_model_call_is_told_with_its_price_and_booked_once(
    agent_run: Run, priced: list[AIMessage], admin_client: Client
) -> None:
    approve(agent_run)
    assert work(agent_run, "iggy") == "done"
    spend = agent_run.spends.get(provider="llm")
    one = {"model": "gpt-5.5-2026-04-23", "input_tokens": 10_000, "output_tokens": 1_000, "microusd": 80_000}
    assert spend.calls == [one] * len(priced)
    assert money.spent(agent_run) == spend.microusd == 80_000 * len(priced)
    # A worker that took over settles the same thread again.
    money.settle_stage(spend.step, [ModelCall(**one)] * len(priced))
    assert money.spent(agent_run) == 80_000 * len(priced)
    page = admin_client.get(reverse("admin:runs_spend_change", args=[spend.id])).content.decode()
    assert page.count("$0.08 gpt-5.5-2026-04-23, 10,000 tokens in, 1,000 out") == len(priced)


def test_who_answered_is_paid_and_an_unknown_name_costs_what_was_asked_for(run: Run, settings: Settings) -> None:
    settings.CREW = settings.CREW.model_copy(update={"llm_model": "openai:gpt-5.5"})
    approve(run)
    calls = [ModelCall(model=name, input_tokens=1000) for name in ("gpt-5-mini-2025-08-07", "a-proxy's own", "")]
    money.settle_stage(iggy := stage(run, "iggy"), calls)
    assert [call["microusd"] for call in iggy.spends.get().calls] == [250, 5000, 5000]


def test_a_stage_that_fails_has_used_its_model_too(
    agent_run: Run, priced: list[AIMessage], monkeypatch: pytest.MonkeyPatch
) -> None:
    def break_down(*args: Any, **kwargs: Any) -> None:
        raise RuntimeError("the search is broken")

    approve(agent_run)
    monkeypatch.setattr("runs.ports.search", break_down)
    with pytest.raises(RuntimeError):
        work(agent_run, "iggy")
    assert spends(agent_run) == [("iggy, openai:gpt-5.5", "settled", len(priced) * 80_000)]


def test_a_stage_that_could_not_pay_its_model_does_not_begin(
    agent_run: Run, priced: list[AIMessage], caps: Callable[..., None]
) -> None:
    caps(run="0.000001")
    approve(agent_run)
    assert work(agent_run, "iggy") == "waits for money"
    assert (priced, spends(agent_run)) == ([], [])
    gate_of(agent_run)
    approve(agent_run)
    assert work(agent_run, "iggy") == "done"
    assert len(spends(agent_run)) == 1


def test_tokens_are_priced_by_the_model_and_unknown_ones_are_free_with_one_warning(
    caplog: pytest.LogCaptureFixture,
) -> None:
    assert tokens_microusd("studio", 10**9, 10**9) == 0
    assert tokens_microusd("openai:gpt-5-mini", 1, 1) == 3
    assert [tokens_microusd("acme:brain-1", 10**6, 10**6) for _ in range(3)] == [0, 0, 0]
    assert [record.message for record in caplog.records].count(caplog.records[0].message) == 1


# --- What people see


def test_the_approval_page_says_what_is_asked_for(run: Run, client: Client, caps: Callable[..., None]) -> None:
    caps(run="0.5", day="0.4")
    at_the_wait(run)
    wait_for_clips(run)
    gate = gate_of(run)
    link = approval_url(gate, recipient="ada")
    html = client.get(link).content.decode()
    for part in ("More money", "$0.30 for clip 2", "Allow $0.20 more", "Cap per run", "$0.50, of which $0.30", "$0.40"):
        assert part in html
    assert "Ask for changes" not in html
    (token,) = parse_qs(urlsplit(link).query)["token"]
    answer = client.post(link.partition("?")[0], {"token": token, "verdict": "approve"})
    assert answer.status_code == 303
    assert [money.allowance(run, cap, timezone.now().date()) for cap in ("run", "day")] == [100_000, 200_000]
    assert "Approved" in client.get(link).content.decode()


def test_the_run_page_and_the_admin_show_the_money(
    run: Run, admin_client: Client, client: Client, caps: Callable[..., None]
) -> None:
    caps(run="0.5")
    at_the_wait(run)
    wait_for_clips(run)
    page = admin_client.get(f"/runs/{run.id}/").content.decode()
    assert "Waiting for you: more money" in page
    assert "$0.30 held" in page
    listed = admin_client.get("/admin/runs/spend/", {"run__project__id__exact": str(run.project_id)}).content.decode()
    assert "clip 1" in listed
    spend = run.spends.get()
    assert "$0.30" in admin_client.get(f"/admin/runs/spend/{spend.id}/change/").content.decode()
    assert admin_client.get("/admin/runs/spend/add/").status_code == 403
    metrics = client.get("/metrics").content.decode()
    assert 'spent_microusd{provider="kieai",status="reserved"} 300000.0' in metrics


def test_a_project_cannot_take_the_name_of_the_budget_gate(run: Run) -> None:
    plain = run.project.spec.model_dump(mode="json", by_alias=True)
    plain["gates"][0]["id"] = "budget"
    with pytest.raises(ValueError, match="engine's own gate"):
        ProjectSpec.model_validate(plain)
