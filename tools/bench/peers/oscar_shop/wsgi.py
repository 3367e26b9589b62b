import os

os.environ["DJANGO_SETTINGS_MODULE"] = "tools.bench.peers.oscar_shop.settings"

from django.core.wsgi import get_wsgi_application

application = get_wsgi_application()
