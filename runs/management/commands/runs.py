"""``manage.py runs``: what an operator does with runs, from a shell."""

from __future__ import annotations

import getpass
import json
import logging
import os
import re
import sys
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from uuid import UUID

from django.core.management.base import BaseCommand, CommandError
from django.core.serializers.json import DjangoJSONEncoder
from django.db import OperationalError
from django.utils.timesince import timesince
from rich.console import Console

from myloware.kernel.errors import InvalidInput, MylowareError, NotFound
from myloware.kernel.progress import progress_on
from runs import services
from runs.api import find_project, forecast, parse
from runs.fork import forbidden, fork, preview, total_microusd
from runs.models import Run
from runs.money import dollars
from runs.schemas import RunInput, RunOptions
from runs.serializers import RunDetailSerializer, RunSerializer
from runs.states import RunStatus, StepStatus
from runs.story import Story, with_standing

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Iterable

    from runs.fork import Effect

Json = dict[str, Any]

POLL_S = 0.5


@dataclass(frozen=True)
class Answer:
    """What a verb says, to people and to programs."""

    text: str
    data: Json


class Command(BaseCommand):
    help = "Starts, lists, shows, watches, cancels, retries, revises and forks runs. An id may be cut short, as in git."

    def run_from_argv(self, argv: list[str]) -> None:
        # What the services log, the answer says.
        logging.disable(logging.INFO)
        super().run_from_argv(argv)

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        verbs = parser.add_subparsers(dest="verb", required=True, metavar="verb")
        for name, (text, arguments, _) in VERBS.items():
            verb = verbs.add_parser(name, help=text, description=text)
            arguments(verb)
            verb.add_argument("--json", action="store_true", help="end with one line of JSON")

    def handle(self, *args: Any, **options: Any) -> None:
        _, _, act = VERBS[options["verb"]]
        try:
            answer = act(options)
        except MylowareError as error:
            self._refuse(error.code, error.message, options)
        except OperationalError as error:
            reason = str(error).strip().splitlines()[0]
            self._refuse("unavailable", f"The database does not answer ({reason}). Is the system up?", options)
        except KeyboardInterrupt:
            sys.exit(130)
        else:
            self.stdout.write(_line(answer.data) if options["json"] else answer.text)

    def _refuse(self, code: str, message: str, options: Json) -> None:
        if options["json"]:
            self.stdout.write(_line({"error": {"code": code, "message": message}}))
        raise CommandError(message)


def _line(data: Json) -> str:
    return json.dumps(data, cls=DjangoJSONEncoder, ensure_ascii=False)


def _actor() -> str:
    return os.environ.get("USER") or getpass.getuser()


# --- Which run


def _a_run(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("id", help="the run's id, or as much of its beginning as no other run shares")


def find(prefix: str) -> Run:
    """The one run whose id begins so. Raises ``NotFound``, and ``InvalidInput`` when there are more."""
    digits = prefix.replace("-", "").lower()
    if not re.fullmatch(r"[0-9a-f]{1,32}", digits):
        raise NotFound(f"'{prefix}' is not how a run's id begins.")
    span = UUID(digits.ljust(32, "0")), UUID(digits.ljust(32, "f"))
    found = list(Run.objects.select_related("project").filter(id__range=span)[:3])
    if not found:
        raise NotFound(f"No run's id begins with '{prefix}'; `manage.py runs list` shows the latest.")
    if len(found) > 1:
        raise InvalidInput(f"More than one run's id begins with '{prefix}', e.g. {found[0].id} and {found[1].id}.")
    return found[0]


# --- Verbs


def _start_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--project", required=True, help="slug of the project")
    parser.add_argument("--brief", required=True, help="what the film is about")
    parser.add_argument("--seed", type=int, default=0, help="the same seed plans the same film (default: 0)")
    parser.add_argument("--user", default="", help="whose run it is")
    parser.add_argument("--modifier", action="append", default=[], help="a modifier of the brief; may be repeated")
    parser.add_argument("--skip", action="append", default=[], help="a persona to leave out; may be repeated")
    parser.add_argument("--with", action="append", default=[], dest="optional", help="an optional persona to add")
    parser.add_argument("--propose", action="store_true", help="leave the plan for somebody else to approve")


def _start(options: Json) -> Answer:
    wishes = {"seed": options["seed"], "skip_steps": options["skip"], "optional_personas": options["optional"]}
    run = services.create_run(
        project=find_project(options["project"]),
        input=parse(RunInput, {"prompt": options["brief"], "modifiers": options["modifier"]}),
        options=parse(RunOptions, wishes),
        user_id=options["user"],
        actor=_actor(),
        approved_by="" if options["propose"] else _actor(),
        channel="shell",
    )
    return Answer(str(run.id), _data(run))


def _list_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--status", choices=[status.value for status in RunStatus])
    parser.add_argument("--project", help="slug of the project")
    parser.add_argument("--limit", type=int, default=20, help="the newest so many (default: 20)")


def _list(options: Json) -> Answer:
    columns = {"status": options["status"], "project__slug": options["project"]}
    wanted = {name: value for name, value in columns.items() if value}
    runs = with_standing(Run.objects.filter(**wanted))[: max(options["limit"], 0)]
    text = "\n".join(_row(Story(run)) for run in runs) or "No runs."
    return Answer(text, {"runs": RunSerializer(runs, many=True).data})


def _row(story: Story) -> str:
    run = story.run
    age = timesince(run.created_at, depth=1).replace("\xa0", " ")
    return (
        f"{str(run.id)[:8]}  {run.status:<9}  {run.project.slug:<14}  {age:<10}  {story.headline}"
        f"  ({story.done}/{story.total})  {run.payload.input.brief}"
    )


def _show(options: Json) -> Answer:
    return _told(find(options["id"]))


def _watch_arguments(parser: argparse.ArgumentParser) -> None:
    _a_run(parser)
    parser.add_argument("--until-gate", action="store_true", help="stop as soon as the run waits for a person")


def _watch(options: Json) -> Answer:
    """Shows the run until it has ended; on a terminal as a table, else as a line for each change."""
    run = find(options["id"])
    progress = progress_on(Console(file=options.get("stdout") or sys.stdout))
    try:
        while True:
            run.refresh_from_db()
            progress.show(_data(run))
            if not run.active or (options["until_gate"] and _waits_for_a_person(run)):
                break
            time.sleep(POLL_S)
    finally:
        progress.pause()
    return Answer(f"{_headline(run)}.", _data(run))


def _waits_for_a_person(run: Run) -> bool:
    return run.steps.filter(kind="gate", status=StepStatus.WAITING).exists()


def _cancel_arguments(parser: argparse.ArgumentParser) -> None:
    _a_run(parser)
    parser.add_argument("--reason", default="cancelled", help="for the run's history")


def _cancel(options: Json) -> Answer:
    return _moved(services.cancel(find(options["id"]).id, actor=_actor(), reason=options["reason"]))


def _retry_arguments(parser: argparse.ArgumentParser) -> None:
    _a_run(parser)
    parser.add_argument("--clip", type=int, metavar="N", help="only this clip, by its index from 0 as `show` tells it")


def _retry(options: Json) -> Answer:
    return _moved(services.retry(find(options["id"]).id, actor=_actor(), clip=options["clip"]))


def _revise_arguments(parser: argparse.ArgumentParser) -> None:
    _a_run(parser)
    parser.add_argument("--stage", default="", help="the stage to go back to (default: the last one before the gate)")
    parser.add_argument("--comment", required=True, help="what should be different")


def _revise(options: Json) -> Answer:
    run = find(options["id"])
    return _moved(services.revise(run.id, options["stage"], options["comment"], _actor(), channel="shell"))


def _fork_arguments(parser: argparse.ArgumentParser) -> None:
    _a_run(parser)
    parser.add_argument("--step", required=True, help="the first step that is done again")
    parser.add_argument("--dry-run", action="store_true", help="only tell what would be reused, redone, or forbidden")


def _fork(options: Json) -> Answer:
    run, step = find(options["id"]), options["step"]
    effects, told = preview(run, step), forecast(run, step)
    if options["dry_run"]:
        return Answer(_effects(effects), told)
    new = fork(run, step, _actor())
    return Answer(f"{_effects(effects)}\n{new.id}", {**_data(new), "effects": told["effects"]})


VERBS: dict[str, tuple[str, Callable[[argparse.ArgumentParser], None], Callable[[Json], Answer]]] = {
    "start": ("start a run and print its id", _start_arguments, _start),
    "list": ("the newest runs", _list_arguments, _list),
    "show": ("one run with its steps and orders", _a_run, _show),
    "watch": ("follow one run until it has ended", _watch_arguments, _watch),
    "cancel": ("end a run for good", _cancel_arguments, _cancel),
    "retry": ("send what failed to work again", _retry_arguments, _retry),
    "revise": ("send a run back from its open gate, with a comment", _revise_arguments, _revise),
    "fork": ("start a new run from a step of this one", _fork_arguments, _fork),
}


# --- In words


def _data(run: Run) -> Json:
    data: Json = RunDetailSerializer(run).data
    return data


def _headline(run: Run) -> str:
    return Story(with_standing(Run.objects.filter(id=run.id)).get()).headline


def _moved(run: Run) -> Answer:
    return Answer(f"{run.id}: {run.status}. {_headline(run)}.", _data(run))


def _told(run: Run) -> Answer:
    data = _data(run)
    parts = [_about(run), *map(_step, data["steps"]), *map(_order, run.jobs.all())]
    return Answer("\n".join(parts), data)


def _about(run: Run) -> str:
    lines = [f"{run.id}  {run.project.slug}  {run.status}", run.payload.input.brief, f"{_headline(run)}.", run.reason]
    return "\n".join([*filter(None, lines), ""])


def _step(step: Json) -> str:
    took = "" if step["duration_s"] is None else f"{step['duration_s']:.1f} s"
    where = f"{step['position']:>3}  {step['kind']:<5}  {step['name']:<12}"
    return f"{where}  {step['status']:<9}  {took:>9}  {step['error']}".rstrip()


def _order(job: Any) -> str:
    cost = "" if job.cost_microusd is None else dollars(job.cost_microusd)
    name = f"{job.kind} {job.index}"
    return f"     order  {name:<12}  {job.status:<9}  {cost:>9}  {job.provider}  {job.error}".rstrip()


def _effects(effects: Iterable[Effect]) -> str:
    effects = list(effects)
    lines = [f"{effect.fate:<9}  {effect!s:<9}  {_cost(effect):>14}  {effect.reason}".rstrip() for effect in effects]
    total = total_microusd(effects)
    lines.append(f"cost of what is done again: {'not known' if total is None else dollars(total)}")
    return "\n".join([*lines, *filter(None, [forbidden(effects) and "This fork is forbidden."])])


def _cost(effect: Effect) -> str:
    if effect.fate != "redo":
        return ""
    return "cost not known" if effect.cost_microusd is None else dollars(effect.cost_microusd)
