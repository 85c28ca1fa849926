"""What a channel is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from hitl.messages import Message


class Channel(Protocol):
    """Carries messages to the people it knows."""

    def send(self, message: Message) -> None:
        """Sends ``message`` to whom it concerns here, which may be nobody.

        Raises a transient ``ProviderError`` or ``RateLimited`` when it is worth trying again, a permanent one when not.
        """
