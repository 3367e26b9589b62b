"""HTTP: pages, API, admin, webhooks (Granian, WSGI; ASGI runs Django's sync views at a tenth)."""

import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "storefront.settings")

shop = get_wsgi_application()

from django.urls import get_resolver  # noqa: E402  (needs the loaded apps)

from apps.api.express import Express  # noqa: E402
from apps.api.turnstile import Turnstile  # noqa: E402
from apps.payments.quick_door import QuickDoor  # noqa: E402
from apps.shop.window import Window  # noqa: E402
from storefront import heap  # noqa: E402

application = QuickDoor(Turnstile(Express(Window(shop))))

# Import the views now: otherwise the first requests of every thread do, all at once, while
# shoppers wait.
_ = get_resolver().url_patterns
heap.keep_what_is_loaded()
