"""``manage.py chaos`` ends up here, with its options as JSON."""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path

from myloware.embedded import ports

from .order import Order


def environment(folder: Path, order: Order) -> dict[str, str]:
    """A system of its own in ``folder``; its leases and sweeps are those of production."""
    web = ports.free_from(18_080)
    outside = ports.free_from(18_090, taken=(web,))
    return {
        "MYLOWARE_DATA_DIR": str(folder),
        "ENVIRONMENT": "local",
        "DB_URL": "",
        "REDIS_URL": "",
        "PORT": str(web),
        "PUBLIC_BASE_URL": f"http://127.0.0.1:{web}",
        "PROVIDERS_MODE": "local",
        "RENDERER": "shotstack",
        "SIMULATORS_URL": f"http://127.0.0.1:{outside}",
        # Callbacks take the way through the world outside, which loses some.
        "WEBHOOK_BASE_URL": f"http://127.0.0.1:{outside}",
        "LLM_MODEL": "studio",
        "LOG_LEVEL": "WARNING",
        # The real deadlines are those of services that need minutes; here everything is done at once.
        "POLL_S": "3",
        "CLIPS_DEADLINE_S": "20",
        "RENDER_DEADLINE_S": "20",
        "PUBLISH_DEADLINE_S": "120",
        # Enough for a film as planned; what a run orders beyond that passes a budget gate.
        "RUN_CAP_USD": "1",
        "DAY_CAP_USD": "0",
        "CHAOS_ORDER": order.model_dump_json(),
    }


def main() -> int:
    order = Order.model_validate_json(sys.argv[1])
    with tempfile.TemporaryDirectory(prefix="myloware-chaos-") as name:
        folder = Path(name).resolve()
        # Under root PostgreSQL runs as another account, which has to pass through.
        folder.chmod(0o711)
        os.environ.update(environment(folder, order))
        # The settings are read when they are imported.
        from .laboratory import Laboratory

        return Laboratory(order, folder).run()


if __name__ == "__main__":
    sys.exit(main())
