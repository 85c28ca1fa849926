"""The ideas of a film, and what people make of them at a gate. Pure Python, but for the errors."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from myloware.kernel.errors import UnprocessableInput

from .schemas import IdeaEdit
from .states import StepStatus

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from .models import Step

Idea = dict[str, Any]
FIELDS = ("subject", "header", "title", "concept")


def handed_over(steps: Iterable[Step]) -> dict[str, dict[str, Any]]:
    """What finished stages handed over, the newest of each persona; of ideas what a later gate has made of them.

    ``steps`` are in the order of the run.
    """
    handed: dict[str, dict[str, Any]] = {}
    for step in steps:
        output = step.output or {}
        if step.status != StepStatus.SUCCEEDED:
            continue
        if step.kind == "stage":
            handed[step.name] = output
        elif "ideas" in output:
            handed["iggy"] = handed.get("iggy", {}) | {"ideas": output["ideas"]}
    return handed


def edited(ideas: Sequence[Idea], wishes: Sequence[dict[str, Any]]) -> list[Idea]:
    """``ideas`` with the texts of ``wishes`` (values of ``IdeaEdit``), and numbered anew without the dropped ones.

    Raises ``UnprocessableInput`` for a wish that cannot be, and when nothing is left.
    """
    wanted = _by_index(wishes, {int(idea["index"]) for idea in ideas})
    kept = [_with(idea, wanted.get(int(idea["index"]))) for idea in ideas if not _dropped(idea, wanted)]
    if not kept:
        raise UnprocessableInput("Every idea is dropped, so nothing would be filmed. Keep one, or reject the run.")
    return [{**idea, "index": index} for index, idea in enumerate(kept)]


def _by_index(wishes: Sequence[dict[str, Any]], known: set[int]) -> dict[int, IdeaEdit]:
    wanted = {}
    for wish in wishes:
        edit = _read(wish)
        if edit.index not in known:
            raise UnprocessableInput(f"There is no idea {edit.index}; they are numbered {min(known)} to {max(known)}.")
        wanted[edit.index] = edit
    return wanted


def _read(wish: dict[str, Any]) -> IdeaEdit:
    try:
        return IdeaEdit.model_validate(wish)
    except ValidationError as error:
        number = wish.get("index") if isinstance(wish, dict) else None
        who = f"idea {number + 1}" if isinstance(number, int) else "an idea"
        faults = (f"{'.'.join(map(str, fault['loc']))}: {fault['msg']}" for fault in error.errors())
        raise UnprocessableInput(f"{who}: {'; '.join(faults)}") from error


def _dropped(idea: Idea, wanted: dict[int, IdeaEdit]) -> bool:
    edit = wanted.get(int(idea["index"]))
    return edit is not None and edit.drop


def _with(idea: Idea, edit: IdeaEdit | None) -> Idea:
    texts = {name: getattr(edit, name, None) for name in FIELDS}
    return idea | {name: text for name, text in texts.items() if text is not None}
