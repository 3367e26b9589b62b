"""Websockets only (Granian, ASGI). Pages and API are served by wsgi.py."""

import os

from django.core.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "storefront.settings")
# Loads the apps; its HTTP side is not served, so that nobody runs the shop through it by mistake.
get_asgi_application()

from apps.core import gc_freeze  # noqa: E402
from apps.core.duplicate_headers import DropDuplicateHeaders  # noqa: E402
from apps.realtime import routing  # noqa: E402  (needs the loaded apps)

application = DropDuplicateHeaders(routing.application)

gc_freeze.freeze_loaded_objects()
