"""What our agent layer costs a stage: everything but the model's and the services' own time.

Each stage runs through the real loop with its checkpoints in PostgreSQL; the model plays a good one's lines without
thinking, and the ports answer at once, so that all that is left is ours.

``python -m benchmarks.agents DB_URL [--runs 30]`` prints, for each persona, least, median and 95th percentile
in milliseconds of one stage, and ends with 1 when a median is above ``--limit`` (25).
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from uuid import uuid4

from personas import checkpoints
from personas.registry import PERSONAS
from tests.personas.test_bad_models import asked, good
from tests.personas.world import ScriptedModel, work

WARM_UP = 3


def stage_ms(persona: str, database: str) -> float:
    """One stage, in milliseconds."""
    stage = asked(persona)
    model = ScriptedModel(*good(persona))
    saver = checkpoints.saver(database)
    start = time.perf_counter()
    work(stage, model, thread_id=f"benchmark-{uuid4().hex}", checkpointer=saver)
    return (time.perf_counter() - start) * 1000


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("database", help="libpq connection string of a database to write checkpoints into")
    parser.add_argument("--runs", type=int, default=30)
    parser.add_argument("--limit", type=float, default=25)
    wanted = parser.parse_args()
    checkpoints.setup(wanted.database)
    slowest = 0.0
    for persona in PERSONAS:
        times = [stage_ms(persona, wanted.database) for _ in range(WARM_UP + wanted.runs)][WARM_UP:]
        median, most = statistics.median(times), statistics.quantiles(times, n=20)[-1]
        slowest = max(slowest, median)
        print(f"{persona:<9} {len(good(persona))} calls   {min(times):6.1f} {median:6.1f} {most:6.1f} ms")
    return int(slowest > wanted.limit)


if __name__ == "__main__":
    sys.exit(main())
