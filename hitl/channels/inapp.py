"""Messages on the staff's inbox page: the row of the delivery is the message."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.contrib.auth import get_user_model

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hitl.messages import Message
    from hitl.models import Delivery


class InAppChannel:
    """Reaches users who may log in as staff: those a gate names, or all."""

    def recipients(self, message: Message) -> Sequence[str]:
        staff = get_user_model().objects.filter(is_staff=True, is_active=True)
        if message.to:
            staff = staff.filter(username__in=message.to)
        return list(staff.values_list("username", flat=True))

    def send(self, message: Message, to: Delivery) -> dict[str, Any]:
        return {}

    def update(self, message: Message, to: Delivery) -> None:
        """The page reads what was decided from the rows."""
