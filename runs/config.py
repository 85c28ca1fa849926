"""Settings of the engine."""

from __future__ import annotations

from decimal import Decimal

from pydantic import Field

from myloware.kernel.settings import Settings


class RunSettings(Settings):
    """Runs."""

    lease_s: float = Field(6, gt=0, le=300, description="a worker that is silent for so many seconds has lost its step")
    sweep_s: float = Field(2, gt=0, le=300, description="seconds between two sweeps for lost work")
    stage_limit_s: int = Field(900, ge=10, le=7200, description="hard time limit of one stage, in seconds")
    clips_deadline_s: int = Field(1800, ge=10, description="a clip that takes longer has failed, in seconds")
    render_deadline_s: int = Field(3600, ge=10, description="a render that takes longer has failed, in seconds")
    publish_deadline_s: int = Field(3600, ge=10, description="a publish that takes longer is escalated, in seconds")
    clips_in_flight: int = Field(4, ge=1, le=20, description="clip jobs of one run that the provider works on at once")
    clips_queued: int = Field(16, ge=1, le=100, description="clip jobs of one run that may wait behind those")
    clip_retries: int = Field(
        1, ge=0, le=5, description="times a clip that the provider failed to make is ordered anew without asking"
    )
    run_cap_usd: Decimal = Field(
        Decimal(20),
        ge=0,
        le=1_000_000,
        decimal_places=6,
        description="US dollars that one run may spend before a person is asked; 0: no cap",
    )
    project_cap_usd: Decimal = Field(
        Decimal(0),
        ge=0,
        le=10_000_000,
        decimal_places=6,
        description="US dollars that all runs of a project together may spend before a person is asked; 0: no cap",
    )
    day_cap_usd: Decimal = Field(
        Decimal(100),
        ge=0,
        le=1_000_000,
        decimal_places=6,
        description="US dollars that all runs may spend in a day (UTC) before a person is asked; 0: no cap",
    )
    poll_s: float = Field(15, gt=0, le=600, description="seconds after which a job without callback is asked about")
