"""The fault dial: what the stand-ins get wrong on purpose, how often, and how fast their time runs."""

from __future__ import annotations

import fcntl
import json
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from myloware.kernel.errors import InvalidInput

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

FOR_EVER = -1


class Dial:
    """One small file, so that any process may turn it and every simulator reads the same.

    ``known`` names, by simulator, each fault and what it is. ``configured`` is what a fresh dial starts with, as
    ``"kieai.no_callback=2, telegram.blocked"``: a fault without a number happens every time.
    """

    def __init__(
        self, file: Path, known: Mapping[str, Mapping[str, str]], configured: str = "", time_scale: float = 1.0
    ) -> None:
        self._file = file
        self._known = known
        self._time_scale = time_scale
        if configured and not file.exists():
            self.turn(_parsed(configured))

    @property
    def time_scale(self) -> float:
        """How long the services' seconds are here: 0.01 makes 49 minutes of retries half a minute."""
        return float(self._read().get("time_scale", self._time_scale))

    def turn(self, faults: Mapping[str, Mapping[str, int]], *, time_scale: float | None = None) -> None:
        """Sets how often each named fault happens from now on; -1 is every time, 0 never. The others stay.

        Raises ``InvalidInput`` with the known names for one that is not.
        """
        self._check(faults)
        with self._alone():
            state = self._read()
            for name, wanted in faults.items():
                state.setdefault("faults", {}).setdefault(name, {}).update(wanted)
            if time_scale is not None:
                state["time_scale"] = time_scale
            self._write(state)

    def reset(self) -> None:
        """Everything right again, at the configured pace."""
        with self._alone():
            self._write({})

    def takes(self, simulator: str, fault: str) -> bool:
        """Whether this is a time at which it goes wrong; counts down."""
        left = self._left(simulator, fault)
        return self._count(simulator, fault) if left > 0 else bool(left)

    def _left(self, simulator: str, fault: str) -> int:
        return int(self._read().get("faults", {}).get(simulator, {}).get(fault, 0))

    def _count(self, simulator: str, fault: str) -> bool:
        """Takes one of the times that are left; False when others were faster."""
        with self._alone():
            left = self._left(simulator, fault)
            if left > 0:
                state = self._read()
                state["faults"][simulator][fault] = left - 1
                self._write(state)
        return bool(left)

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Keeps others from the file, in whichever thread or process, while it is read, changed and written."""
        self._file.parent.mkdir(parents=True, exist_ok=True)
        with self._file.with_suffix(".lock").open("w") as guard:
            fcntl.flock(guard, fcntl.LOCK_EX)
            yield

    def shown(self) -> dict[str, Any]:
        """The dial's position, and all that can be set."""
        state = self._read()
        return {"time_scale": self.time_scale, "faults": state.get("faults", {}), "known": self._known}

    def _check(self, faults: Mapping[str, Mapping[str, int]]) -> None:
        for name, wanted in faults.items():
            known = self._known.get(name)
            if known is None:
                raise InvalidInput(f"There is no simulator '{name}'. Known: {', '.join(self._known)}.")
            for fault in wanted:
                if fault not in known:
                    raise InvalidInput(f"{name} has no fault '{fault}'. Known: {', '.join(known)}.")

    def _read(self) -> dict[str, Any]:
        try:
            found: dict[str, Any] = json.loads(self._file.read_text())
        except FileNotFoundError:
            return {}
        return found

    def _write(self, state: dict[str, Any]) -> None:
        draft = self._file.with_suffix(f".{threading.get_ident()}")
        draft.write_text(json.dumps(state))
        draft.replace(self._file)


def _parsed(configured: str) -> dict[str, dict[str, int]]:
    found: dict[str, dict[str, int]] = {}
    for entry in filter(None, (part.strip() for part in configured.split(","))):
        name, _, rest = entry.partition(".")
        fault, _, times = rest.partition("=")
        if times and not times.isdecimal():
            raise InvalidInput(f"'{entry}' is no fault; write for example kieai.no_callback=2.")
        found.setdefault(name, {})[fault] = int(times) if times else FOR_EVER
    return found
