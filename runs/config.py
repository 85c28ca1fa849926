"""Settings of the engine."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from pydantic import Field, SecretStr, field_validator
from pydantic_settings import SettingsConfigDict

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


class MediaSettings(Settings):
    """The media store."""

    # Who writes a key into the URL must not find it in the log.
    model_config = SettingsConfigDict(hide_input_in_errors=True)

    media_store_url: str = Field(
        "",
        description="where clips and films are kept: s3://bucket/prefix?endpoint=https://...&region=...&style=virtual "
        "(all but the bucket may be left out), or file:///folder; empty: the folder `media` of the data folder",
    )
    aws_access_key_id: SecretStr = Field(SecretStr(""), description="key of the bucket; empty: as boto3 finds one")
    aws_secret_access_key: SecretStr = Field(SecretStr(""), description="secret of that key")
    media_kept_days: int = Field(
        90, ge=1, le=36500, description="days after which a file that no artifact names any more is deleted"
    )
    media_spare_mb: int = Field(
        200, ge=0, description="free space, in MB, that downloads and renders leave on the media folder's disk"
    )

    @field_validator("media_store_url")
    @classmethod
    def _is_known(cls, url: str) -> str:
        parts = urlsplit(url)
        if url and parts.scheme not in {"file", "s3"}:
            raise ValueError("it begins with s3:// or file://, or is empty")
        if parts.scheme == "file" and (parts.netloc or not parts.path.strip("/")):
            raise ValueError("a folder is written file:///with/three/slashes")
        if parts.scheme == "s3" and (not parts.hostname or "@" in parts.netloc):
            raise ValueError("a bucket is written s3://bucket; its key is AWS_ACCESS_KEY_ID")
        if strange := parse_qs(parts.query).keys() - {"endpoint", "region", "style"}:
            raise ValueError(f"endpoint, region and style may follow the question mark, not {', '.join(strange)}")
        return url

    @property
    def folder(self) -> Path | None:
        """The folder that ``file://`` names."""
        parts = urlsplit(self.media_store_url)
        return Path(unquote(parts.path)) if parts.scheme == "file" else None

    @property
    def storage(self) -> dict[str, Any]:
        """The store as an entry of Django's ``STORAGES``."""
        parts = urlsplit(self.media_store_url)
        if parts.scheme != "s3":
            return {"BACKEND": "runs.store.folder.Folder"}
        more = {name: values[-1] for name, values in parse_qs(parts.query).items()}
        options = {
            "bucket_name": parts.netloc,
            "location": parts.path.strip("/"),
            "endpoint_url": more.get("endpoint"),
            "region_name": more.get("region"),
            "addressing_style": more.get("style"),
            "access_key": self.aws_access_key_id.get_secret_value() or None,
            "secret_key": self.aws_secret_access_key.get_secret_value() or None,
        }
        return {"BACKEND": "runs.store.bucket.Bucket", "OPTIONS": options}
