"""What kind of start this is, where the shop's files and addresses are, and its secret key."""

from pathlib import Path

from django.core.exceptions import ImproperlyConfigured

from storefront.settings.environment import (
    comma_list,
    is_set,
    long_secrets,
    port,
    positive_count,
    read,
    switch,
    url,
)

BASE_DIR = Path(__file__).resolve().parents[2]

DEVELOPMENT = read("DEBUG", switch, False)
# Technical error pages need a second switch: not even a demo may show a traceback to a shopper.
DEBUG = DEVELOPMENT and read("DEBUG_PAGES", switch, False)
STOREFRONT_HOME = Path(read("STOREFRONT_HOME", str, str(BASE_DIR / ".storefront"))).resolve()
SHOP_NAME = "Kettle & Pine"
PORT = read("PORT", port, 8000)
LIVE_PORT = read("LIVE_PORT", port, 8001)
SHOP_URL = read("SHOP_URL", url("http", "https"), f"http://127.0.0.1:{PORT}").rstrip("/")
# Where browsers find the websocket; unset: the page's own origin, whose edge passes /ws/ on.
LIVE_URL = read("LIVE_URL", url("ws", "wss"), "").rstrip("/")
# Web processes, each with 48 threads. One more than the two cores that it was measured on: behind
# each commit fewer threads of one process wait for Python's lock.
WEB_WORKERS = read("WEB_WORKERS", positive_count, 3)
SECRET_KEY = read("SECRET_KEY", str, "")
# Earlier keys: what they signed (sessions, guests' order links, tickets) stays valid.
SECRET_KEY_FALLBACKS = read("SECRET_KEY_FALLBACKS", long_secrets, [])
ALLOWED_HOSTS = read("ALLOWED_HOSTS", comma_list, [])

if DEVELOPMENT:
    SECRET_KEY = SECRET_KEY or "development-only-" + "k" * 50
    ALLOWED_HOSTS = ALLOWED_HOSTS or ["localhost", "127.0.0.1", "[::1]", ".local"]
else:
    # Production must not get a guessable key, an open host list or failpoints by accident.
    if len(SECRET_KEY) < 50:
        raise ImproperlyConfigured("SECRET_KEY: set at least 50 random characters (or DEBUG=1)")
    if not ALLOWED_HOSTS or "*" in ALLOWED_HOSTS:
        raise ImproperlyConfigured("ALLOWED_HOSTS: name the hosts of the shop (or DEBUG=1)")
    if is_set("FAILPOINTS"):
        raise ImproperlyConfigured("FAILPOINTS: dying on purpose needs DEBUG=1")
