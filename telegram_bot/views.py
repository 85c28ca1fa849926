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

from . import linking, tasks
from .models import TelegramUpdate, may_talk
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
        receive(update)
        return Response({})


def receive(update: Update) -> None:
    """Keeps what we act on, and has it answered."""
    message, query = update.message, update.callback_query
    if query and query.message and _ours(query.message):
        _keep(update, query.message, text=query.data, query_id=query.id, message_id=query.message.message_id)
    elif message and message.text.strip() and (_ours(message) or _introduces_itself(message)):
        to = message.reply_to_message
        _keep(update, message, text=message.text, message_id=to.message_id if to else None)


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
    """Whether it stands in a private chat that we talk to."""
    allowed = message.chat.type == "private" and may_talk(message.chat.id)
    if not allowed:
        log.warning("message from a chat that is not allowed", extra={"chat": message.chat.id})
    return allowed


def _introduces_itself(message: Message) -> bool:
    return message.chat.type == "private" and linking.is_valid(linking.code_in(message.text))


@transaction.atomic
def _keep(update: Update, message: Message, **values: Any) -> None:
    row, new = TelegramUpdate.objects.get_or_create(
        update_id=update.update_id, defaults={"chat_id": message.chat.id, **values}
    )
    if new:
        # A broker that is down must not make Telegram repeat what we have: the sweep sends the wake-up again.
        transaction.on_commit(partial(tasks.reply.delay, row.id), robust=True)
