"""Settings of approvals."""

from __future__ import annotations

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings

from myloware.kernel.settings import Site


class HitlSettings(BaseSettings):
    """Approvals."""

    hitl_secret: SecretStr = Field(SecretStr(""), description="signs approval links; any long random text")
    hitl_old_secrets: SecretStr = Field(
        SecretStr(""), description="comma-separated former values of HITL_SECRET, whose links still work"
    )
    hitl_link_hours: int = Field(24, ge=1, le=24 * 30, description="life of an approval link, in hours")
    hitl_channels: str = Field(
        "hitl.channels.email.EmailChannel,telegram_bot.channel.TelegramChannel,hitl.channels.inapp.InAppChannel,"
        "hitl.channels.webhook.WebhookChannel",
        description="comma-separated classes that carry invitations to decide",
    )
    hitl_emails: str = Field("", description="comma-separated addresses of the reviewers; empty: no mails")
    hitl_email_from: str = Field("MyloWare <myloware@localhost>", description="sender of the mails")
    hitl_webhook_url: Site = Field("", description="where gates, decisions and endings are posted to; empty: nowhere")
    hitl_webhook_secret: SecretStr = Field(
        SecretStr(""), description="signs those posts (Standard Webhooks): whsec_ and 24 to 64 random bytes in base64"
    )
    email_host: str = Field("", description="SMTP server; empty: mails are written to DATA_DIR/mail")
    email_port: int = Field(587, ge=1, le=65535, description="SMTP port, with STARTTLS")
    email_host_user: str = Field("", description="SMTP user")
    email_host_password: SecretStr = Field(SecretStr(""), description="SMTP password")

    @property
    def keys(self) -> tuple[str, ...]:
        """What links may be signed with; the first signs new ones."""
        return tuple(
            filter(None, (self.hitl_secret.get_secret_value(), *_parts(self.hitl_old_secrets.get_secret_value())))
        )

    @property
    def channels(self) -> tuple[str, ...]:
        return _parts(self.hitl_channels)

    @property
    def emails(self) -> tuple[str, ...]:
        return _parts(self.hitl_emails)


def _parts(text: str) -> tuple[str, ...]:
    return tuple(filter(None, (part.strip() for part in text.split(","))))
