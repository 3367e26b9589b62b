"""Websockets only (Granian, ASGI). Pages and API are served by wsgi.py."""

import os

from django.core.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "storefront.settings")
# Loads the apps; its HTTP side is not served, so that nobody runs the shop through it by mistake.
get_asgi_application()

from apps.live.routing import application  # noqa: E402  (needs the loaded apps)
from storefront import heap  # noqa: E402

__all__ = ["application"]

heap.keep_what_is_loaded()
