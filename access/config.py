"""Settings of the HTTP API's keys."""

from __future__ import annotations

from pydantic import Field

from myloware.kernel.settings import Settings


class AccessSettings(Settings):
    """Access to the HTTP API."""

    api_rate_per_minute: int = Field(60, ge=1, le=100_000, description="requests that one API key may send in a minute")
    api_burst: int = Field(10, ge=1, le=100_000, description="requests of one API key that may come at once")
