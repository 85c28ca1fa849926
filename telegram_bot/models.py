"""Messages people sent to the bot, each stored once and answered once."""

from __future__ import annotations

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.utils import timezone

from runs.models import Run


class TelegramUpdate(models.Model):
    """One message from Telegram. Its number is the key, so a repeated delivery finds its row."""

    class Status(models.TextChoices):
        RECEIVED = "received"
        ANSWERED = "answered"
        FAILED = "failed"

    update_id = models.BigIntegerField(unique=True)
    chat_id = models.BigIntegerField(db_index=True)
    text = models.TextField(help_text="what was written, or the data of the button that was pressed")
    query_id = models.CharField(max_length=64, blank=True, help_text="of a pressed button; to be acknowledged")
    message_id = models.BigIntegerField(null=True, blank=True, help_text="under which was pressed, or replied to")
    status = models.CharField(max_length=16, choices=Status.choices, default=Status.RECEIVED)
    # The answer is kept before it is sent, so that sending again does not mean asking Brendan again.
    reply = ArrayField(models.TextField(), default=list, blank=True, help_text="the answer, in messages of HTML")
    runs = ArrayField(models.UUIDField(), default=list, blank=True, help_text="runs the answer offers to decide on")
    asks = models.CharField(max_length=64, blank=True, help_text="verdict:step that a reply to the answer will decide")
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


class TelegramChat(models.Model):
    """A private chat whose person has proved to be a user of ours."""

    chat_id = models.BigIntegerField(unique=True)
    user = models.OneToOneField(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="telegram")
    linked_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        db_table = "telegram_chats"

    def __str__(self) -> str:
        return f"{self.chat_id}: {self.user}"


class LinkCode(models.Model):
    """Proves once, and for a while, that who knows it is the user."""

    user = models.OneToOneField(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+")
    digest = models.CharField(max_length=64, unique=True)
    ends_at = models.DateTimeField()

    class Meta:
        db_table = "telegram_link_codes"

    def __str__(self) -> str:
        return f"for {self.user}"


class Progress(models.Model):
    """The one message in a chat that tells how a run stands, and is edited as it moves."""

    run = models.OneToOneField(Run, on_delete=models.CASCADE, related_name="+")
    chat_id = models.BigIntegerField()
    message_id = models.BigIntegerField()
    text = models.TextField()

    class Meta:
        db_table = "telegram_progress"
        verbose_name_plural = "progress messages"

    def __str__(self) -> str:
        return f"{self.chat_id}: {self.text[:60]}"


PREFIX = "telegram_"


def user_of(chat_id: int) -> str:
    """Our user id of a private chat: the linked user's name, else the chat's, whose id is that of the person in it."""
    name = TelegramChat.objects.filter(chat_id=chat_id).values_list("user__username", flat=True).first()
    return name or f"{PREFIX}{chat_id}"


def chat_of(user_id: str) -> int | None:
    """The private chat of a user who is linked, or came from Telegram; None for everybody else."""
    linked = TelegramChat.objects.filter(user__username=user_id).values_list("chat_id", flat=True).first()
    number = user_id.removeprefix(PREFIX)
    return linked or (int(number) if user_id.startswith(PREFIX) and number.isdecimal() else None)


def may_talk(chat_id: int) -> bool:
    """Whether the bot talks to a chat: it is on the list, or linked to a user who is still active."""
    listed = str(chat_id) in settings.TELEGRAM.allowed_chats
    return listed or TelegramChat.objects.filter(chat_id=chat_id, user__is_active=True).exists()
