"""A system that is being broken: nothing is lost, nothing is done twice."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
PUBLISH_POINTS = "publish.taken,publish.called,publish.recorded,publish.asked,publish.collected,publish.settled"


def chaos(*options: str) -> dict[str, Any]:
    """What the command tells; it has to end well."""
    ran = subprocess.run(
        [sys.executable, "manage.py", "chaos", "--json", *options],
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=420,
        check=False,
    )
    assert ran.returncode == 0, ran.stdout[-3000:] + ran.stderr[-3000:]
    told: dict[str, Any] = json.loads(ran.stdout.strip().splitlines()[-1])
    assert told["violations"] == []
    assert told["duplicate_publishes"] == told["lost_runs"] == told["unsettled"] == 0
    return told


def test_everything_breaks_while_200_films_are_made() -> None:
    told = chaos("--runs", "200", "--seed", "11")
    assert sum(told["statuses"].values()) == 200
    assert told["faults"]["points"] > 100
    assert told["wall_s"] < 300


def test_a_worker_dies_at_every_point_of_every_publish() -> None:
    told = chaos("--runs", "4", "--faults", "points", "--points", PUBLISH_POINTS)
    assert told["faults"]["points"] == 4 * len(PUBLISH_POINTS.split(","))
    assert told["statuses"] == {"succeeded": 4}
