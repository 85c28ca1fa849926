"""A run's trace in LangSmith: one tree, under the run's own id, in which each stage is a call of a tool.

Whether a stage is told is decided when it has ended, for those that failed are always told: until then what happens is
held here, and then sent in one request.  A service that is away costs a stage a few seconds and nothing else.
"""

from __future__ import annotations

import logging
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from uuid import UUID

from langsmith import Client
from langsmith.run_helpers import tracing_context
from langsmith.run_trees import RunTree
from urllib3.util import Retry

from myloware.kernel.errors import BudgetExceeded
from myloware.kernel.logging import cleaned

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from .base import StageBrief
    from .config import CrewSettings

log = logging.getLogger(__name__)

# To connect, and to be answered, in milliseconds.
TIMEOUT_MS = (2_000, 5_000)
# What the service would tell when asked, which takes a request.
INFO = {"batch_ingest_config": {"use_multipart_endpoint": False, "size_limit": 100, "size_limit_bytes": 20_971_520}}
# The client cleans these as JSON; before that they hold objects.
BY_CLIENT = frozenset({"inputs", "outputs"})


@dataclass
class Outcome:
    """``output`` is for the stage to fill in; ``sent`` says afterwards whether the service has heard of it."""

    output: dict[str, Any] = field(default_factory=dict)
    sent: bool = False


class Held(Client):
    """Keeps every span until it is told to send them, once each, with nothing in them that looks like a secret."""

    def __init__(self, settings: CrewSettings, secrets: Sequence[str]) -> None:
        self._failed: list[Exception] = []
        super().__init__(
            api_url=settings.langsmith_endpoint,
            api_key=settings.langsmith_api_key.get_secret_value(),
            auto_batch_tracing=False,
            timeout_ms=TIMEOUT_MS,
            retry_config=Retry(total=0),
            info=INFO,
            omit_traced_runtime_info=True,
            anonymizer=lambda data: cleaned(data, secrets),
            tracing_sampling_rate=1,
            tracing_error_callback=self._failed.append,
        )
        self._secrets = tuple(secrets)
        self._spans: dict[str, dict[str, Any]] = {}

    def create_run(self, name: str, inputs: dict[str, Any], run_type: Any, **kwargs: Any) -> None:
        self._spans[str(kwargs["id"])] = {"name": name, "inputs": inputs, "run_type": run_type, **kwargs}

    def update_run(self, run_id: Any, **kwargs: Any) -> None:
        said = {key: value for key, value in kwargs.items() if value is not None}
        self._spans.setdefault(str(run_id), {"id": run_id}).update(said)

    def send(self, root: RunTree, *, known: bool) -> bool:
        """Whether all spans have arrived; ``known`` says that the service has the root already."""
        top = self._clean(self._spans.pop(str(root.id)))
        rest = [self._clean(span) for span in list(self._spans.values())]
        self.batch_ingest_runs(create=rest if known else [top, *rest], update=[top] if known else [])
        return not self._failed

    def _clean(self, span: dict[str, Any]) -> dict[str, Any]:
        return {key: value if key in BY_CLIENT else cleaned(value, self._secrets) for key, value in span.items()}


@contextmanager
def traced(
    brief: StageBrief, settings: CrewSettings, *, began: datetime, known: bool, secrets: Sequence[str]
) -> Iterator[Outcome]:
    """Traces a stage, where there is a key. ``began`` is when its run did, and ``known`` whether its trace exists.

    A stage that failed is told in any case, one that did not if its run is in the sample.
    """
    outcome = Outcome()
    if not settings.langsmith_api_key.get_secret_value():
        yield outcome
        return
    client = Held(settings, secrets)
    root = _root(brief, settings, client, began)
    tags = [*(root.tags or ()), f"persona:{brief.persona}"]
    stage = root.create_child(brief.persona, "tool", inputs={"brief": _told(brief)}, tags=tags)
    root.post()
    stage.post()
    error = None
    try:
        with tracing_context(parent=stage, enabled=True, client=client, project_name=settings.langsmith_project):
            yield outcome
    except BudgetExceeded:
        # It waits for money, and goes on.
        raise
    except BaseException as failure:
        error = f"{type(failure).__name__}: {failure}"
        raise
    finally:
        if error or sampled(brief.run_id, settings.langsmith_sample_rate):
            for tree in (stage, root):
                tree.end(outputs=outcome.output if tree is stage else {"stage": brief.persona}, error=error)
                tree.patch()
            outcome.sent = client.send(root, known=known)


def sampled(run_id: str, rate: float) -> bool:
    """Whether a run belongs to the share ``rate`` (0-1) that is told: all its stages do, or none."""
    return UUID(run_id).int % 10_000 < rate * 10_000


def _root(brief: StageBrief, settings: CrewSettings, client: Client, began: datetime) -> RunTree:
    about = {"project": brief.project, "run_id": brief.run_id}
    return RunTree(
        id=UUID(brief.run_id),
        name=brief.project,
        run_type="chain",
        # Part of every span's place in the tree: it must be the same in each process.
        start_time=began.astimezone(UTC),
        inputs=brief.input,
        tags=[f"{name}:{value}" for name, value in about.items()],
        extra={"metadata": about},
        project_name=settings.langsmith_project,
        client=client,
    )


def _told(brief: StageBrief) -> dict[str, Any]:
    return brief.model_dump(mode="json", exclude={"run_id", "step_id"})
