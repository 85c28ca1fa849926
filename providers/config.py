"""Settings of the outside services."""

from __future__ import annotations

import os
from typing import Literal, cast

from pydantic import Field, SecretStr

from myloware.kernel.settings import Settings, Site

Mode = Literal["mock", "local", "live"]
Renderer = Literal["shotstack", "local"]
Scheme = Literal["own", "generic"]
SCHEME = "how its webhooks are signed: its `own` way, or `generic` (X-Signature, X-Request-Id, X-Timestamp) by a relay"


class ProviderSettings(Settings):
    """Providers."""

    providers_mode: Mode = Field(
        "local", description="mock: instant tiny media; local: real media made here; live: the services"
    )
    kieai_mode: Mode | None = Field(None, description="mode of kie.ai alone; empty: PROVIDERS_MODE")
    upload_post_mode: Mode | None = Field(None, description="mode of upload-post alone; empty: PROVIDERS_MODE")
    renderer: Renderer | None = Field(
        None,
        description="who renders films: shotstack, or local: our own workers; empty: local if PROVIDERS_MODE is local, "
        "else shotstack",
    )
    renders_at_once: int = Field(
        default_factory=lambda: max(1, _cores() // 4),
        ge=1,
        le=256,
        description="films that one machine renders at once; empty: one for each four processor cores",
    )
    render_cores: int = Field(
        default_factory=lambda known: max(1, _cores() // int(known["renders_at_once"])),
        ge=1,
        le=256,
        description="processor cores for each of them; empty: all, shared out evenly",
    )
    render_limit_s: int = Field(3600, ge=1, le=86_400, description="hard time limit of one render here, in seconds")
    simulators_url: Site = Field(
        "http://127.0.0.1:8091", description="where `manage.py simulators` listens (local mode)"
    )
    simulators_faults: str = Field(
        "", description="what the simulators get wrong from the start, e.g. kieai.no_callback=2, shotstack.fails"
    )
    simulators_time_scale: float = Field(
        1.0, ge=0, le=100, description="how long a second of the simulated services takes, in seconds"
    )
    kieai_api_key: SecretStr = Field(SecretStr(""), description="kie.ai key")
    kieai_base_url: Site = Field("https://api.kie.ai", description="kie.ai API")
    kieai_signing_secret: SecretStr = Field(
        SecretStr(""), description="kie.ai's webhook HMAC key, of its account settings"
    )
    kieai_webhook_scheme: Scheme = Field("own", description=SCHEME)
    shotstack_api_key: SecretStr = Field(SecretStr(""), description="Shotstack key of the environment in its URL")
    shotstack_base_url: Site = Field(
        "https://api.shotstack.io/edit/v1", description="Shotstack edit API, environment included"
    )
    shotstack_webhook_secret: SecretStr = Field(
        SecretStr(""), description="secret we put in Shotstack callback URLs; any long random text"
    )
    shotstack_webhook_scheme: Scheme = Field("own", description=SCHEME)
    upload_post_api_key: SecretStr = Field(SecretStr(""), description="upload-post key")
    upload_post_base_url: Site = Field("https://api.upload-post.com/api", description="upload-post API")
    upload_post_signing_secret: SecretStr = Field(
        SecretStr(""), description="upload-post's webhook secret, shown when its URL is saved"
    )
    upload_post_webhook_scheme: Scheme = Field("own", description=SCHEME)

    @property
    def renders_here(self) -> bool:
        """Whether films are rendered by our own workers."""
        return (self.renderer or ("local" if self.providers_mode == "local" else "shotstack")) == "local"

    def mode(self, field: str) -> Mode:
        """The mode of the provider whose settings begin with ``field``: its own, else the common one.

        Our own renderer is local, whatever the others are.
        """
        if field == "shotstack" and self.renders_here:
            return "local"
        return cast("Mode", getattr(self, f"{field}_mode", None) or self.providers_mode)

    @property
    def asks_simulators(self) -> bool:
        """Whether any provider is reached at `manage.py simulators`."""
        fields = ("kieai", "upload_post") if self.renders_here else ("kieai", "shotstack", "upload_post")
        return any(self.mode(field) == "local" for field in fields)


def _cores() -> int:
    return os.cpu_count() or 1
