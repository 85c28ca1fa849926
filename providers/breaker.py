"""A circuit breaker that all workers share: who fails five times in a row is left alone for half a minute."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from myloware.kernel.errors import ProviderUnavailable

if TYPE_CHECKING:
    from .shared import Shared

FAILURES = 5
OPEN_S = 30
# A trial of which nobody hears is forgotten; failures further apart have nothing to do with each other.
TRIAL_S = 30
MEMORY_S = 600


class CircuitOpen(ProviderUnavailable):
    """Nothing was sent."""


@dataclass(frozen=True)
class Breaker:
    """Closed: requests pass. Open: none does. Half open, once ``OPEN_S`` is over: one does, and decides.

    ``failed`` is for a service that does not work (5xx, no answer), never for a request that it refuses.
    """

    name: str
    shared: Shared
    title: str = ""

    def check(self) -> None:
        """Raises ``CircuitOpen`` unless a request may be sent now."""
        if self.shared.get(self._key("open")) or (self._failures() >= FAILURES and not self._first_to_try()):
            raise CircuitOpen(
                f"{self.title or self.name} failed {FAILURES} times in a row; it is asked again within {OPEN_S} s.",
                provider=self.name,
            )

    def failed(self) -> None:
        """Counts a failure; the last of too many opens the circuit."""
        if self.shared.count(self._key("failures"), MEMORY_S) >= FAILURES:
            self.shared.put(self._key("open"), 1, OPEN_S)
            self.shared.forget(self._key("trial"))

    def worked(self) -> None:
        """Closes the circuit."""
        if self._failures():
            self.shared.forget(self._key("failures"), self._key("trial"), self._key("open"))

    def _failures(self) -> int:
        return int(self.shared.get(self._key("failures")) or 0)

    def _first_to_try(self) -> bool:
        return self.shared.claim(self._key("trial"), TRIAL_S)

    def _key(self, what: str) -> str:
        return f"breaker:{self.name}:{what}"
