"""The crew. To add a persona: a folder like its neighbours, and one line here."""

from __future__ import annotations

from typing import TYPE_CHECKING

from myloware.kernel.errors import Misconfigured

from .alex.persona import ALEX
from .iggy.persona import IGGY
from .morgan.persona import MORGAN
from .quinn.persona import QUINN
from .reviewer.persona import REVIEWER
from .riley.persona import RILEY

if TYPE_CHECKING:
    from .base import Persona

# Brendan is not a stage: he talks with people before a run exists (personas/brendan).
PERSONAS: dict[str, Persona] = {
    "iggy": IGGY,
    "riley": RILEY,
    "alex": ALEX,
    "morgan": MORGAN,
    "quinn": QUINN,
    # In no project's workflow: put in by the engine behind a stage that was not sure (runs/states.py).
    "reviewer": REVIEWER,
}


def persona(name: str) -> Persona:
    """Raises ``Misconfigured`` for a name that is not in the crew."""
    if name not in PERSONAS:
        raise Misconfigured(f"There is no persona '{name}'. The crew is: {', '.join(PERSONAS)}.")
    return PERSONAS[name]
