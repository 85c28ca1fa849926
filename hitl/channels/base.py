"""What a channel is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from hitl.messages import Message
    from hitl.models import Delivery


class Channel(Protocol):
    """Carries messages to the people it knows.

    ``send`` and ``update`` raise a transient ``ProviderError`` or ``RateLimited`` when it is worth trying again, a
    permanent one when not.
    """

    def recipients(self, message: Message) -> Sequence[str]:
        """Whom the message concerns here, which may be nobody."""

    def send(self, message: Message, to: Delivery) -> dict[str, Any]:
        """Sends it to one of them; what ``update`` needs to find it again, or nothing."""

    def update(self, message: Message, to: Delivery) -> None:
        """Puts ``message``, which tells what was decided, in the place of the invitation that was sent."""
