"""Mail to the reviewers named in HITL_EMAILS, through whatever mail backend Django is set up with."""

from __future__ import annotations

from smtplib import SMTPException
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.core.mail import EmailMultiAlternatives, get_connection
from django.template.loader import render_to_string

from myloware.kernel.errors import ProviderUnavailable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hitl.messages import Message
    from hitl.models import Delivery


class EmailChannel:
    """One mail per reviewer: each link says whose it is. Of those whom a gate names the ones with an address."""

    def recipients(self, message: Message) -> Sequence[str]:
        named = [name for name in message.to if "@" in name]
        return named if message.to else settings.HITL.emails

    def send(self, message: Message, to: Delivery) -> dict[str, Any]:
        try:
            get_connection().send_messages([_mail(message, to.recipient)])
        except (SMTPException, OSError) as error:
            raise ProviderUnavailable(f"The mail server did not take the mail: {error}") from error
        return {}

    def update(self, message: Message, to: Delivery) -> None:
        """A mail cannot be changed; its link tells what was decided."""


def _mail(message: Message, address: str) -> EmailMultiAlternatives:
    context = {"message": message, "url": message.url(address), "hours": settings.HITL.hitl_link_hours}
    mail = EmailMultiAlternatives(
        subject=" ".join(message.subject.split()),
        body=render_to_string("hitl/mail.txt", context),
        from_email=settings.HITL.hitl_email_from,
        to=[address],
    )
    mail.attach_alternative(render_to_string("hitl/mail.html", context), "text/html")
    return mail
