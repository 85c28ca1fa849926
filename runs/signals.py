"""What the engine announces, after commit, to whoever stands above it. Signals carry ids only."""

from __future__ import annotations

from django.dispatch import Signal

# run_id: UUID, step_id: UUID. A person has to decide.
gate_opened = Signal()
# run_id: UUID, step_id: UUID. Somebody decided; open invitations to decide are void.
gate_decided = Signal()
# run_id: UUID. The run has reached a final status.
run_ended = Signal()
