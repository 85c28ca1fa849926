"""The crew's marks."""

from __future__ import annotations

from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from personas.registry import PERSONAS
from runs import evals
from tests.personas.bad_models import fresh
from tests.personas.test_bad_models import Recorder
from tests.personas.world import ScriptedModel, work

pytestmark = pytest.mark.django_db


def run(*names: str) -> str:
    out = StringIO()
    call_command("evals", "run", *names, stdout=out)
    return out.getvalue()


def test_the_offline_model_passes_every_dataset() -> None:
    told = run()
    for name, dataset in evals.datasets().items():
        assert f"version {dataset.version}" in told
        assert name in told
        assert dataset.persona in PERSONAS
        assert set(dataset.checks) <= set(evals.CHECKS)


def test_a_worse_model_fails_with_the_checks_it_failed(monkeypatch: pytest.MonkeyPatch) -> None:
    dataset = evals.datasets()["drafts"]
    good = Recorder(seed=0)
    work(evals._brief("quinn", dataset.cases[0]), good)
    search, draft, output = good.said
    texts = {"title": "Candle", "caption": "Look at this candle, it is lovely.", "tags": ["candle"]}
    lines = [search, fresh(draft, **texts), fresh(output, **texts, confidence=0.9)]
    monkeypatch.setattr(evals, "chat_model", lambda *_, **__: ScriptedModel(*lines))
    with pytest.raises(CommandError, match="Worse than they should be: drafts"):
        run("drafts")
    score = next(evals.scores(dataset))
    assert score.failed == ("says_that_it_is_ai",)


def test_an_unknown_dataset_is_named() -> None:
    with pytest.raises(CommandError, match="There is no dataset wit"):
        run("wit")
