"""HTTP: pages, API, admin, webhooks.

Served by Granian over WSGI. Over ASGI, Django's sync views run at a tenth of the speed (ADR 10).
"""

import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "storefront.settings")

shop = get_wsgi_application()

from django.urls import get_resolver  # noqa: E402  (needs the loaded apps)

from apps.core import gc_freeze  # noqa: E402
from apps.fastpath.api import ApiShortcut  # noqa: E402
from apps.fastpath.checkout import CheckoutShortcut  # noqa: E402
from apps.fastpath.http import Application  # noqa: E402
from apps.fastpath.pages import PageShortcut  # noqa: E402
from apps.fastpath.webhook import WebhookShortcut  # noqa: E402


def with_shortcuts(inner: Application) -> Application:
    """`inner` behind all shortcuts before Django (apps/fastpath)."""
    return WebhookShortcut(CheckoutShortcut(ApiShortcut(PageShortcut(inner))))


application = with_shortcuts(shop)

# Import the views now. Otherwise the first requests of all threads do it at once, while shoppers
# wait.
_ = get_resolver().url_patterns
gc_freeze.freeze_loaded_objects()
