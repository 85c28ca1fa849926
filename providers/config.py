"""Settings of the outside services."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings

Mode = Literal["mock", "local", "live"]
Scheme = Literal["own", "generic"]
SCHEME = "how its webhooks are signed: its `own` way, or `generic` (X-Signature, X-Request-Id, X-Timestamp) by a relay"


class ProviderSettings(BaseSettings):
    """Providers."""

    providers_mode: Mode = Field(
        "local", description="mock: instant tiny media; local: real media made here; live: the services"
    )
    kieai_mode: Mode | None = Field(None, description="mode of kie.ai alone; empty: PROVIDERS_MODE")
    shotstack_mode: Mode | None = Field(None, description="mode of Shotstack alone; empty: PROVIDERS_MODE")
    upload_post_mode: Mode | None = Field(None, description="mode of upload-post alone; empty: PROVIDERS_MODE")
    simulators_url: str = Field(
        "http://127.0.0.1:8091", description="where `manage.py simulators` listens (local mode)"
    )
    simulators_faults: str = Field(
        "", description="what the simulators get wrong from the start, e.g. kieai.no_callback=2, shotstack.fails"
    )
    simulators_time_scale: float = Field(
        1.0, ge=0, le=100, description="how long a second of the simulated services takes, in seconds"
    )
    kieai_api_key: SecretStr = Field(SecretStr(""), description="kie.ai key")
    kieai_base_url: str = Field("https://api.kie.ai", description="kie.ai API")
    kieai_signing_secret: SecretStr = Field(SecretStr(""), description="kie.ai webhook HMAC key")
    kieai_webhook_scheme: Scheme = Field("own", description=SCHEME)
    shotstack_api_key: SecretStr = Field(SecretStr(""), description="Shotstack key of the environment in its URL")
    shotstack_base_url: str = Field(
        "https://api.shotstack.io/edit/v1", description="Shotstack edit API, environment included"
    )
    shotstack_webhook_secret: SecretStr = Field(SecretStr(""), description="secret we put in Shotstack callback URLs")
    shotstack_webhook_scheme: Scheme = Field("own", description=SCHEME)
    upload_post_api_key: SecretStr = Field(SecretStr(""), description="upload-post key")
    upload_post_base_url: str = Field("https://api.upload-post.com/api", description="upload-post API")
    upload_post_signing_secret: SecretStr = Field(SecretStr(""), description="upload-post webhook secret")
    upload_post_webhook_scheme: Scheme = Field("own", description=SCHEME)
