"""What the engine announces to whoever stands above it, in the transaction of the change. Signals carry ids only.

A receiver writes rows, such as a wake-up (``dispatch.enqueue_task``), and nothing else: it would hold the run's lock.
"""

from __future__ import annotations

from django.dispatch import Signal

# run_id: UUID, step_id: UUID. A person has to decide.
gate_opened = Signal()
# run_id: UUID, step_id: UUID. Somebody has decided, or nobody has to any more.
gate_closed = Signal()
# run_id: UUID. The run has reached a final status.
run_ended = Signal()
