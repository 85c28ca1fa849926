"""Mail to the reviewers named in HITL_EMAILS, through whatever mail backend Django is set up with."""

from __future__ import annotations

from smtplib import SMTPException
from typing import TYPE_CHECKING

from django.conf import settings
from django.core.mail import EmailMultiAlternatives, get_connection
from django.template.loader import render_to_string

from myloware.kernel.errors import ProviderUnavailable

if TYPE_CHECKING:
    from hitl.messages import Message


class EmailChannel:
    """One mail per reviewer: each link says whose it is."""

    def send(self, message: Message) -> None:
        mails = [_mail(message, address) for address in settings.HITL.emails]
        if not mails:
            return
        try:
            get_connection().send_messages(mails)
        except (SMTPException, OSError) as error:
            raise ProviderUnavailable(f"The mail server did not take the mail: {error}") from error


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
