"""Messages people sent to the bot, each stored once and answered once."""

from __future__ import annotations

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.utils import timezone


class TelegramUpdate(models.Model):
    """One message from Telegram. Its number is the key, so a repeated delivery finds its row."""

    class Status(models.TextChoices):
        RECEIVED = "received"
        ANSWERED = "answered"
        FAILED = "failed"

    update_id = models.BigIntegerField(unique=True)
    chat_id = models.BigIntegerField(db_index=True)
    text = models.TextField()
    status = models.CharField(max_length=16, choices=Status.choices, default=Status.RECEIVED)
    # The answer is kept before it is sent, so that sending again does not mean asking Brendan again.
    reply = ArrayField(models.TextField(), default=list, blank=True, help_text="the answer, in messages of HTML")
    runs = ArrayField(models.UUIDField(), default=list, blank=True, help_text="runs the answer offers to decide on")
    sent = models.PositiveIntegerField(default=0, help_text="messages of the answer that were sent")
    error = models.TextField(blank=True)
    due_at = models.DateTimeField(
        default=timezone.now, help_text="not answered before; ahead while Telegram wants us to wait"
    )
    created_at = models.DateTimeField(auto_now_add=True)
    answered_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        db_table = "telegram_updates"
        ordering = ["-update_id"]

    def __str__(self) -> str:
        return f"{self.chat_id}: {self.text[:60]}"

    @property
    def user_id(self) -> str:
        return user_of(self.chat_id)


PREFIX = "telegram_"


def user_of(chat_id: int) -> str:
    """Our user id of a private chat, whose id is that of the person in it."""
    return f"{PREFIX}{chat_id}"


def chat_of(user_id: str) -> int | None:
    """The private chat of a user who came from Telegram; None for everybody else."""
    number = user_id.removeprefix(PREFIX)
    return int(number) if user_id.startswith(PREFIX) and number.isdecimal() else None
