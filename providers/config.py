"""Settings of the outside services."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings

Mode = Literal["mock", "local", "live"]


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
    kieai_api_key: SecretStr = Field(SecretStr(""), description="kie.ai key")
    kieai_base_url: str = Field("https://api.kie.ai", description="kie.ai API")
    kieai_signing_secret: SecretStr = Field(SecretStr(""), description="kie.ai webhook HMAC key")
    shotstack_api_key: SecretStr = Field(SecretStr(""), description="Shotstack key of the environment in its URL")
    shotstack_base_url: str = Field(
        "https://api.shotstack.io/edit/v1", description="Shotstack edit API, environment included"
    )
    shotstack_webhook_secret: SecretStr = Field(SecretStr(""), description="secret we put in Shotstack callback URLs")
    upload_post_api_key: SecretStr = Field(SecretStr(""), description="upload-post key")
    upload_post_base_url: str = Field("https://api.upload-post.com/api", description="upload-post API")
    upload_post_signing_secret: SecretStr = Field(SecretStr(""), description="upload-post webhook secret")
