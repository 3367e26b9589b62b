"""Content security policy, cookies, https, and which proxies and clients are trusted."""

from urllib.parse import urlsplit

from storefront.settings.base import ALLOWED_HOSTS, DEVELOPMENT, LIVE_URL, SHOP_URL
from storefront.settings.environment import count, networks, one_of, read, switch
from storefront.settings.stripe import USES_SANDBOX


def websocket_source() -> str:
    """The one websocket of a page, for browsers in which 'self' does not cover ws and wss yet."""
    parts = urlsplit(LIVE_URL or SHOP_URL)
    return f"{'wss' if parts.scheme in ('https', 'wss') else 'ws'}://{parts.netloc}"


# What Stripe.js needs: https://docs.stripe.com/security/guide#content-security-policy. Its frames
# come from changing subdomains of js.stripe.com. Left out of that list: maps.googleapis.com, which
# only Stripe's form for addresses asks. The shop has its own, and whoever may load scripts from
# there can have it call any function by name.
_stripe_scripts: list[str] = []
_stripe_frames: list[str] = []
_stripe_calls: list[str] = []
if not USES_SANDBOX:
    _stripe_scripts = ["https://js.stripe.com", "https://*.js.stripe.com"]
    _stripe_frames = [*_stripe_scripts, "https://hooks.stripe.com"]
    _stripe_calls = ["https://api.stripe.com"]
CONTENT_SECURITY_POLICY = {
    # Admin and API browser have policies of their own: apps/core/csp.py.
    "DIRECTIVES": {
        "default-src": ["'self'"],
        "script-src": ["'self'", *_stripe_scripts],
        "style-src": ["'self'"],
        "img-src": ["'self'", "data:"],
        "connect-src": ["'self'", websocket_source(), *_stripe_calls],
        "frame-src": _stripe_frames or ["'none'"],
        "form-action": ["'self'"],
        "frame-ancestors": ["'none'"],
        "base-uri": ["'none'"],
        "object-src": ["'none'"],
    },
}
_payment = "()" if USES_SANDBOX else '(self "https://js.stripe.com")'
PERMISSIONS_POLICY = (
    "camera=(), display-capture=(), geolocation=(), gyroscope=(), magnetometer=(), microphone=(),"
    f" midi=(), payment={_payment}, usb=(), xr-spatial-tracking=()"
)
X_FRAME_OPTIONS = "DENY"
SECURE_CROSS_ORIGIN_OPENER_POLICY = "same-origin"
# On the pages with the card form. A wallet opens a window of its own and has to tell the page how
# it ended; "same-origin" cuts the two apart (Stripe.js supports no isolated page either).
CARD_FORM_OPENER_POLICY = "same-origin" if USES_SANDBOX else "same-origin-allow-popups"
SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = "same-origin"
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"
SESSION_COOKIE_SECURE = not DEVELOPMENT
CSRF_COOKIE_SECURE = not DEVELOPMENT
CSRF_COOKIE_HTTPONLY = True
if not DEVELOPMENT:
    # Browsers accept a cookie with this prefix over https and from exactly this host only: another
    # host of the same domain cannot set one.
    SESSION_COOKIE_NAME = "__Host-session"
    CSRF_COOKIE_NAME = "__Host-csrf"
CSRF_FAILURE_VIEW = "apps.web.views.errors.csrf_failure"
CSRF_TRUSTED_ORIGINS = [SHOP_URL]
if not DEVELOPMENT:
    SECURE_SSL_REDIRECT = read("SECURE_SSL_REDIRECT", switch, True)
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
    SECURE_REDIRECT_EXEMPT = [r"^healthz$", r"^readyz$", r"^metrics$"]
    SECURE_HSTS_SECONDS = 31_536_000
    SECURE_HSTS_INCLUDE_SUBDOMAINS = True
    SECURE_HSTS_PRELOAD = True
# How many proxies of our own stand before the shop's edge. 0: the edge discards the X-Forwarded-For
# that a client sends.
PROXIES_BEFORE_EDGE = read("TRUSTED_PROXIES", count, 0)
# Set by the program that starts the web and realtime processes behind the edge (tools/stack).
# Without it a request comes directly from the network or from the proxies above.
BEHIND_EDGE = read("BEHIND_EDGE", switch, False)
# Each of them, and the edge, adds an entry to X-Forwarded-For: the client's address is that many
# entries from the right. 0: the header is ignored.
TRUSTED_PROXIES = PROXIES_BEFORE_EDGE + BEHIND_EDGE
# Who terminates TLS. "off": a proxy before the edge (or nobody, on a developer's machine). "auto":
# the edge, with certificates that it fetches and renews itself. "internal": the edge, with its own
# certificate authority.
EDGE_TLS = read("EDGE_TLS", one_of("off", "auto", "internal"), "off")
# The names that the edge has certificates for.
EDGE_HOSTS = sorted(
    {str(urlsplit(SHOP_URL).hostname)}
    | {host for host in ALLOWED_HOSTS if not host.startswith((".", "["))}
)
# Who besides this machine may read /metrics (apps/core/metrics_view.py): addresses and networks.
METRICS_ALLOW = read("METRICS_ALLOW", networks, [])
