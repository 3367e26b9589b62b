"""HTTP: pages, API, admin, webhooks (Granian, WSGI; ASGI runs Django's sync views at a tenth)."""

import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "storefront.settings")

application = get_wsgi_application()
