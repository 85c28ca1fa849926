"""Where Telegram delivers messages. It gets its answer at once; the work is done by a task."""

from __future__ import annotations

import logging
from functools import partial
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.db import transaction
from drf_spectacular.utils import extend_schema
from pydantic import ValidationError
from rest_framework.response import Response
from rest_framework.views import APIView

from myloware.kernel.errors import InvalidInput, NotFound, Unauthenticated
from myloware.kernel.signing import same

from . import tasks
from .models import TelegramUpdate
from .updates import Message, Update

if TYPE_CHECKING:
    from rest_framework.request import Request

log = logging.getLogger(__name__)


class Webhook(APIView):
    authentication_classes = ()
    permission_classes = ()

    @extend_schema(exclude=True)
    def post(self, request: Request) -> Response:
        """One update. Only its secret header proves that it comes from Telegram."""
        _authenticate(request)
        update = _parse(request.data)
        if update.message and _ours(update.message):
            _keep(update.update_id, update.message)
        return Response({})


def _authenticate(request: Request) -> None:
    if not settings.TELEGRAM.telegram_bot_token.get_secret_value():
        raise NotFound("The Telegram bot is off. Set TELEGRAM_BOT_TOKEN to switch it on.")
    secret = settings.TELEGRAM.telegram_webhook_secret.get_secret_value()
    if not secret or not same(request.headers.get("X-Telegram-Bot-Api-Secret-Token", ""), secret):
        raise Unauthenticated("The secret of the Telegram webhook is missing or wrong.")


def _parse(body: Any) -> Update:
    try:
        return Update.model_validate(body)
    except ValidationError as error:
        raise InvalidInput("This is not a Telegram update.") from error


def _ours(message: Message) -> bool:
    """Whether it is text from a private chat that we talk to."""
    allowed = str(message.chat.id) in settings.TELEGRAM.allowed_chats
    if not allowed:
        log.warning("message from a chat that is not allowed", extra={"chat": message.chat.id})
    return allowed and message.chat.type == "private" and bool(message.text.strip())


@transaction.atomic
def _keep(update_id: int, message: Message) -> None:
    row, new = TelegramUpdate.objects.get_or_create(
        update_id=update_id, defaults={"chat_id": message.chat.id, "text": message.text}
    )
    if new:
        # A broker that is down must not make Telegram repeat what we have: the sweep sends the wake-up again.
        transaction.on_commit(partial(tasks.reply.delay, row.id), robust=True)
