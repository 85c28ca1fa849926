"""The approval page's form."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from django import forms

from runs.ideas import FIELDS
from runs.states import Verdict

if TYPE_CHECKING:
    from collections.abc import Mapping

    from runs.ideas import Idea

_SEPARATORS = re.compile(r"[\s,]+")


class DraftForm(forms.Form):
    """The reviewer's text."""

    title = forms.CharField(required=False, max_length=200)
    caption = forms.CharField(required=False, max_length=2200)
    tags = forms.CharField(required=False, max_length=2000)

    def faults(self) -> str:
        """What is wrong with the input, in words."""
        return "; ".join(f"{name}: {fault}" for name, faults in self.errors.items() for fault in faults)

    def edits(self, draft: dict[str, Any]) -> dict[str, Any]:
        """The fields of ``draft`` that were sent and differ from it."""
        sent = {
            "title": self.cleaned_data["title"],
            "caption": self.cleaned_data["caption"].replace("\r\n", "\n"),
            "tags": tags_of(self.cleaned_data["tags"]),
        }
        return {name: value for name, value in sent.items() if name in self.data and draft.get(name) != value}


class DecisionForm(DraftForm):
    """A verdict with its comment, and for a draft the reviewer's text."""

    verdict = forms.ChoiceField(choices=[(verdict.value, verdict.value) for verdict in Verdict])
    comment = forms.CharField(required=False, max_length=2000)
    stage = forms.CharField(required=False, max_length=64)


def tags_of(text: str) -> list[str]:
    """Hashtags from what a person types: with or without #, separated by spaces or commas, none twice."""
    tags = (tag.strip("#") for tag in _SEPARATORS.split(text))
    return list(dict.fromkeys(filter(None, tags)))


def idea_edits(sent: Mapping[str, str], ideas: list[Idea]) -> list[dict[str, Any]]:
    """What the form changes in ``ideas``, as values of ``IdeaEdit``; empty when they stay as they are."""
    wishes = (_idea_edit(sent, idea) for idea in ideas)
    return [wish for wish in wishes if len(wish) > 1]


def _idea_edit(sent: Mapping[str, str], idea: Idea) -> dict[str, Any]:
    """``index``, and what differs; fields are named ``idea-INDEX-NAME``."""
    index = int(idea["index"])
    texts = {name: sent.get(f"idea-{index}-{name}", "").replace("\r\n", "\n").strip() for name in FIELDS}
    changed = {
        name: text for name, text in texts.items() if f"idea-{index}-{name}" in sent and text != idea.get(name, "")
    }
    return {"index": index, **changed, **({"drop": True} if f"idea-{index}-drop" in sent else {})}
