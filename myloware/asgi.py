"""ASGI entry point of the web process."""

from __future__ import annotations

import os

from django.core.asgi import get_asgi_application

from myloware.kernel.entrance import Entrance

from .checks import refuse_a_bad_start

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "myloware.settings")

application = Entrance(get_asgi_application())
refuse_a_bad_start()
