"""Settings of the shop, all from the environment (12-factor), loud when wrong.

`DEBUG=1` means a developer's machine: the sandbox gateway, a throw-away secret key and loopback
hosts are allowed. Without it the shop refuses to start on any default. Technical error pages are a
choice of their own (`DEBUG_PAGES=1`), because even a demo never shows a traceback to a shopper.
"""

import sys
from datetime import timedelta
from pathlib import Path
from urllib.parse import urlsplit

import environ
from django.core.exceptions import ImproperlyConfigured
from django.templatetags.static import static

from storefront import embedded

BASE_DIR = Path(__file__).resolve().parent.parent
env = environ.Env()


def read(name, cast, default):
    """The variable `name`, or `default` when unset or empty; a malformed value names itself."""
    if not env.ENVIRON.get(name):
        return default
    try:
        return cast(env.ENVIRON[name])
    except (ValueError, TypeError) as error:
        raise ImproperlyConfigured(f"{name}: {error}") from None


def a_switch(value):
    words = {"1": True, "on": True, "true": True, "yes": True}
    words |= {"0": False, "off": False, "false": False, "no": False}
    if value.strip().lower() not in words:
        raise ValueError(f"expected on or off, got {value!r}")
    return words[value.strip().lower()]


def a_port(value):
    if not value.isdigit() or not 0 < int(value) < 65536:
        raise ValueError(f"expected a port from 1 to 65535, got {value!r}")
    return int(value)


def a_count(value):
    if not value.isdigit():
        raise ValueError(f"expected a whole number, got {value!r}")
    return int(value)


def a_list(value):
    return [part.strip() for part in value.split(",") if part.strip()]


def long_secrets(value):
    found = a_list(value)
    if any(len(secret) < 50 for secret in found):
        raise ValueError("expected secrets of at least 50 characters, by comma")
    return found


def one_of(*choices):
    def check(value):
        if value not in choices:
            raise ValueError(f"expected one of {', '.join(choices)}, got {value!r}")
        return value

    return check


def a_url(*schemes):
    def check(value):
        if urlsplit(value).scheme not in schemes:
            raise ValueError(f"expected a URL with scheme {' or '.join(schemes)}")
        return value

    return check


def a_secret_stripe_key(value):
    # dj-stripe and Stripe tell test from live mode by the prefix; a malformed key is found here,
    # not by the first shopper.
    if not value.startswith(("sk_test_", "sk_live_", "rk_test_", "rk_live_")) or len(value) < 32:
        raise ValueError("expected a Stripe secret key of full length (sk_test_… or sk_live_…)")
    return value


# --- What kind of start is this -----------------------------------------------------------------

DEVELOPMENT = read("DEBUG", a_switch, False)
DEBUG = DEVELOPMENT and read("DEBUG_PAGES", a_switch, False)
STOREFRONT_HOME = Path(read("STOREFRONT_HOME", str, str(BASE_DIR / ".storefront"))).resolve()
PORT = read("PORT", a_port, 8000)
LIVE_PORT = read("LIVE_PORT", a_port, 8001)
SANDBOX_PORT = read("SANDBOX_PORT", a_port, 8002)
SHOP_URL = read("SHOP_URL", a_url("http", "https"), f"http://127.0.0.1:{PORT}").rstrip("/")
# Where browsers find the websocket; unset: the page's own host at LIVE_PORT.
LIVE_URL = read("LIVE_URL", a_url("ws", "wss"), "").rstrip("/")
SECRET_KEY = read("SECRET_KEY", str, "")
# Yesterday's keys: what they signed (sessions, guests' order links, tickets) is still good.
SECRET_KEY_FALLBACKS = read("SECRET_KEY_FALLBACKS", long_secrets, [])
ALLOWED_HOSTS = read("ALLOWED_HOSTS", a_list, [])
STRIPE_SECRET_KEY = read("STRIPE_SECRET_KEY", a_secret_stripe_key, "")
STRIPE_PUBLIC_KEY = read("STRIPE_PUBLIC_KEY", str, "")
STRIPE_API_HOST = read("STRIPE_API_HOST", a_url("http", "https"), "")
SANDBOX_URL = f"http://127.0.0.1:{SANDBOX_PORT}"
SANDBOX_LATENCY_MS = read("SANDBOX_LATENCY_MS", a_count, 350)
USES_SANDBOX = not STRIPE_SECRET_KEY

if DEVELOPMENT:
    SECRET_KEY = SECRET_KEY or "development-only-" + "k" * 50
    ALLOWED_HOSTS = ALLOWED_HOSTS or ["localhost", "127.0.0.1", "[::1]", ".local"]
else:
    # No sandbox, no guessable key, no open host list in production by accident.
    if len(SECRET_KEY) < 50:
        raise ImproperlyConfigured("SECRET_KEY: set at least 50 random characters (or DEBUG=1)")
    if not ALLOWED_HOSTS or "*" in ALLOWED_HOSTS:
        raise ImproperlyConfigured("ALLOWED_HOSTS: name the hosts of the shop (or DEBUG=1)")
    if USES_SANDBOX:
        raise ImproperlyConfigured("STRIPE_SECRET_KEY: the sandbox gateway needs DEBUG=1")
    if env.ENVIRON.get("FAILPOINTS"):
        raise ImproperlyConfigured("FAILPOINTS: dying on purpose needs DEBUG=1")
    if urlsplit(STRIPE_API_HOST).hostname in ("localhost", "127.0.0.1", "::1"):
        raise ImproperlyConfigured("STRIPE_API_HOST: a gateway on this machine needs DEBUG=1")
    if not STRIPE_PUBLIC_KEY.startswith("pk_"):
        raise ImproperlyConfigured("STRIPE_PUBLIC_KEY: expected Stripe's publishable key (pk_…)")
if USES_SANDBOX:
    # Looks like Stripe's, because dj-stripe validates the form; opens only the sandbox.
    STRIPE_SECRET_KEY = "sk_test_" + "sandbox" * 5
    STRIPE_API_HOST = STRIPE_API_HOST or SANDBOX_URL

# --- Applications -------------------------------------------------------------------------------

INSTALLED_APPS = [
    "unfold",
    "unfold.contrib.filters",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django.contrib.postgres",
    "rest_framework",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "channels",
    "djstripe",
    "treebeard",
    "csp",
    "apps.customers",
    "apps.catalog",
    "apps.inventory",
    "apps.sales",
    "apps.cart",
    "apps.promos",
    "apps.taxes",
    "apps.shipping",
    "apps.desk",
    "apps.payments",
    "apps.notifications",
    "apps.orders",
    "apps.api",
    "apps.shop",
    "apps.live",
    "apps.demo",
]

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "storefront.csp.PolicyMiddleware",
    "storefront.front_door.FrontDoorMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "storefront.backoffice.limits.OfficeLimitsMiddleware",
    "storefront.no_pages.PageMessagesMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "storefront.overload.OverloadMiddleware",
]

ROOT_URLCONF = "storefront.urls"
WSGI_APPLICATION = "storefront.wsgi.application"
ASGI_APPLICATION = "storefront.asgi.application"

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "csp.context_processors.nonce",
                "apps.shop.context_processors.shop",
            ],
        },
    },
]

# --- PostgreSQL: the truth ----------------------------------------------------------------------


def a_database(value):
    """Django's connection settings for a `postgresql://` URL; a connection for each thread."""
    config = env.db_url_config(value)
    if "postgresql" not in config.get("ENGINE", ""):
        raise ValueError("expected a postgresql:// URL")
    config["ENGINE"] = "django.db.backends.postgresql"
    options = config.setdefault("OPTIONS", {})
    if "host" in options:  # a unix socket's folder cannot stand in a URL's host part
        config["HOST"] = options.pop("host")
    # READ COMMITTED is what the conditional updates are written for (docs/locking.md).
    options["isolation_level"] = 2
    options["connect_timeout"] = 5
    # Django's None would forbid prepared statements; this leaves them to who asks (prepared.py).
    options["prepare_threshold"] = 1_000_000
    # A statement that waits longer than this waits in vain; the shopper hears 503 instead.
    # Who falls silent in a transaction (a frozen worker, a paused machine) cannot keep the shelves
    # locked: PostgreSQL hangs up on it, and another worker carries the order on.
    options["options"] = (
        "-c lock_timeout=8000 -c statement_timeout=30000"
        " -c idle_in_transaction_session_timeout=12000"
    )
    config["CONN_MAX_AGE"] = None  # kept for good; storefront/connections.py drops dead ones
    return config


DATABASES = {
    "default": a_database(embedded.database_url(STOREFRONT_HOME))
    if not env.ENVIRON.get("DATABASE_URL")
    else read("DATABASE_URL", a_database, None)
}
if env.ENVIRON.get("DATABASE_REPLICA_URL"):
    DATABASES["replica"] = read("DATABASE_REPLICA_URL", a_database, None)
    DATABASES["replica"]["TEST"] = {"MIRROR": "default"}
CATALOGUE_DATABASE = "replica" if "replica" in DATABASES else "default"

# --- Redis: bells, caches, guests' carts; never the truth ---------------------------------------

REDIS_URL = read("REDIS_URL", a_url("redis", "rediss", "unix"), embedded.redis_url(STOREFRONT_HOME))


def redis_db(number):
    """REDIS_URL pointed at logical database `number`."""
    if REDIS_URL.startswith("unix"):
        return f"{REDIS_URL}?db={number}"
    parts = urlsplit(REDIS_URL)
    return parts._replace(path=f"/{number}").geturl()


def broker_url():
    if REDIS_URL.startswith("unix"):
        return REDIS_URL.replace("unix://", "redis+socket://", 1) + "?virtual_host=0"
    return redis_db(0)


REDIS_TIMEOUTS = {"socket_timeout": 0.5, "socket_connect_timeout": 0.5}
CACHES = {
    "default": {
        "BACKEND": "django_redis.cache.RedisCache",
        "LOCATION": redis_db(1),
        "OPTIONS": {
            "CLIENT_CLASS": "django_redis.client.DefaultClient",
            **{name.upper(): seconds for name, seconds in REDIS_TIMEOUTS.items()},
        },
    },
}
# A dead cache is a slow page, never an error page. (Hence no lock and no count of record here.)
DJANGO_REDIS_IGNORE_EXCEPTIONS = True
DJANGO_REDIS_LOG_IGNORED_EXCEPTIONS = True
CARTS_REDIS_URL = redis_db(3)
RATE_LIMITS_REDIS_URL = redis_db(4)
SALES_REDIS_URL = redis_db(5)
RATE_LIMITS = read("RATE_LIMITS", a_switch, True)

CHANNEL_LAYERS = {
    "default": {
        "BACKEND": "channels_redis.pubsub.RedisPubSubChannelLayer",
        # channels_redis blocks for 5 s; redis-py's default socket_timeout of 5 s would race it.
        "CONFIG": {"hosts": [{"address": redis_db(2), "socket_timeout": 15}]},
    },
}

# --- Celery: rings bells, remembers nothing -----------------------------------------------------

CELERY_BROKER_URL = read("CELERY_BROKER_URL", str, broker_url())
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_BROKER_TRANSPORT_OPTIONS = {
    "socket_timeout": 5,
    "socket_connect_timeout": 2,
    "visibility_timeout": 300,
}
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_REJECT_ON_WORKER_LOST = True
# A child that died keeps its place in the prefetch for so many seconds (Celery waits ten, for
# results that nobody here asks for): four deaths in a row, and the worker would hear no bell.
CELERY_WORKER_LOST_WAIT = 1.0
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_TASK_PUBLISH_RETRY = False  # a frozen broker must not hang whoever rings
CELERY_TASK_DEFAULT_QUEUE = "background"
CELERY_TASK_ROUTES = {
    "orders.advance_sagas": {"queue": "checkout"},
    "payments.apply_webhooks": {"queue": "checkout"},
    # The safety net must not queue behind mails and mirrors.
    "orders.sweep": {"queue": "checkout"},
    "orders.expire_holds": {"queue": "checkout"},
    "payments.send_refunds": {"queue": "checkout"},
    "payments.gateway_recovered": {"queue": "checkout"},
    # The background's worker hears its queues in turn. A backlog of events to mirror rings without
    # end; behind its bells in one queue, money that no webhook told of was looked for too late.
    "payments.mirror_events": {"queue": "mirror"},
    "payments.reconcile": {"queue": "reconcile"},
}
QUEUES = {"checkout": ("checkout",), "background": ("background", "mirror", "reconcile")}
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_TIMEZONE = "UTC"
CELERY_BEAT_SCHEDULE_FILENAME = str(STOREFRONT_HOME / "celerybeat-schedule")
# Celery judges expiry by the worker's own wall clock: with seconds here, a clock that is half a
# minute ahead would make a worker deaf. An hour bounds what piles up while no worker runs.
BELLS_EXPIRE_S = 3600
UNHEARD = {"expires": BELLS_EXPIRE_S}
CELERY_BEAT_SCHEDULE = {
    # Bells get lost; these find what is due all the same.
    "sweep": {"task": "orders.sweep", "schedule": 2.0, "options": UNHEARD},
    "expire-holds": {"task": "orders.expire_holds", "schedule": 15.0, "options": UNHEARD},
    "reconcile": {"task": "payments.reconcile", "schedule": 60.0, "options": UNHEARD},
    "mirror": {"task": "payments.mirror_events", "schedule": 5.0, "options": UNHEARD},
    "warm-sales": {"task": "sales.warm_pages", "schedule": 60.0, "options": UNHEARD},
    "mail": {"task": "notifications.deliver", "schedule": 5.0, "options": UNHEARD},
}

# --- The checkout's numbers ---------------------------------------------------------------------

SHOP_NAME = "Kettle & Pine"
SHOP_CURRENCY = "USD"
INVENTORY_STRATEGY = read(
    "INVENTORY_STRATEGY", one_of("conditional", "pessimistic", "optimistic"), "conditional"
)
INTAKE_BATCH_MAX = 200
INTAKE_QUEUE_MAX = 2_000
INTAKE_WAIT = timedelta(seconds=10)
HOLD_TIME = timedelta(minutes=15)
HOLD_TIME_CAP = timedelta(minutes=60)
if DEVELOPMENT:
    # A fault run cannot wait for an hour to see what an outage longer than that does.
    HOLD_TIME = timedelta(seconds=read("HOLD_SECONDS", a_count, HOLD_TIME.seconds))
    HOLD_TIME_CAP = timedelta(seconds=read("HOLD_CAP_SECONDS", a_count, HOLD_TIME_CAP.seconds))
CART_TIME = timedelta(days=14)
GATEWAY_CONNECT_TIMEOUT = timedelta(seconds=2)
GATEWAY_READ_TIMEOUT = timedelta(seconds=8)

# --- Stripe and dj-stripe -----------------------------------------------------------------------

STRIPE_LIVE_MODE = STRIPE_SECRET_KEY.startswith(("sk_live_", "rk_live_"))
if STRIPE_LIVE_MODE:
    STRIPE_LIVE_SECRET_KEY = STRIPE_SECRET_KEY
else:
    STRIPE_TEST_SECRET_KEY = STRIPE_SECRET_KEY
if not STRIPE_API_HOST:
    del STRIPE_API_HOST  # dj-stripe takes its presence as an order
DJSTRIPE_FOREIGN_KEY_TO_FIELD = "id"
# "STRIPE_API_HOST should not be set in production": it is not, see above.
SILENCED_SYSTEM_CHECKS = ["djstripe.W002"] if DEVELOPMENT else []

# --- People -------------------------------------------------------------------------------------

AUTH_USER_MODEL = "customers.User"
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator"},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]
PASSWORD_HASHERS = [
    "django.contrib.auth.hashers.Argon2PasswordHasher",
    "django.contrib.auth.hashers.PBKDF2PasswordHasher",
]
LOGIN_URL = "shop:login"
LOGIN_REDIRECT_URL = "shop:account"
LOGOUT_REDIRECT_URL = "shop:home"
SESSION_ENGINE = "django.contrib.sessions.backends.cached_db"
SESSION_COOKIE_AGE = int(CART_TIME.total_seconds())

# --- API ----------------------------------------------------------------------------------------

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "rest_framework_simplejwt.authentication.JWTAuthentication",
        "rest_framework.authentication.SessionAuthentication",
    ],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["apps.api.parsers.StrictJSONParser"],
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    "EXCEPTION_HANDLER": "storefront.problems.exception_handler",
    "UNICODE_JSON": True,
}
SPECTACULAR_SETTINGS = {
    "TITLE": f"{SHOP_NAME} API",
    "DESCRIPTION": "Catalogue, carts, checkout and orders for mobile apps.",
    "VERSION": "1",
    "SERVE_INCLUDE_SCHEMA": False,
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "REDOC_DIST": "SIDECAR",
}
SIMPLE_JWT = {
    "ACCESS_TOKEN_LIFETIME": timedelta(minutes=30),
    "REFRESH_TOKEN_LIFETIME": timedelta(days=14),
    # Tokens end with the password they were given for.
    "CHECK_REVOKE_TOKEN": True,
}

# --- Mail ---------------------------------------------------------------------------------------

DEFAULT_FROM_EMAIL = f"{SHOP_NAME} <hello@kettleandpine.example>"
vars().update(
    read(
        "EMAIL_URL",
        env.email_url_config,
        {
            "EMAIL_BACKEND": "django.core.mail.backends.filebased.EmailBackend",
            "EMAIL_FILE_PATH": str(STOREFRONT_HOME / "mail"),
        },
    )
)
EMAIL_TIMEOUT = 10

# --- Pages --------------------------------------------------------------------------------------

LANGUAGE_CODE = "en-us"
TIME_ZONE = "UTC"
USE_I18N = False
USE_TZ = True
STATIC_URL = "/static/"
STATIC_ROOT = STOREFRONT_HOME / "static"
STATICFILES_DIRS = [BASE_DIR / "static"]
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {
        "BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"
        if DEVELOPMENT
        else "whitenoise.storage.CompressedManifestStaticFilesStorage"
    },
}
WHITENOISE_USE_FINDERS = DEVELOPMENT
MEDIA_ROOT = STOREFRONT_HOME / "media"
MEDIA_URL = "/media/"
DATA_UPLOAD_MAX_MEMORY_SIZE = 1_000_000  # bytes; the largest honest body is a cart of a few KB
DATA_UPLOAD_MAX_NUMBER_FIELDS = 500

# --- Security -----------------------------------------------------------------------------------

_live_source = LIVE_URL or f"ws://*:{LIVE_PORT}"
_stripe = [] if USES_SANDBOX else ["https://js.stripe.com", "https://api.stripe.com"]
CONTENT_SECURITY_POLICY = {
    # Admin and API browser have policies of their own: storefront/csp.py.
    "DIRECTIVES": {
        "default-src": ["'self'"],
        "script-src": ["'self'", "https://js.stripe.com"] if _stripe else ["'self'"],
        "style-src": ["'self'"],
        "img-src": ["'self'", "data:"],
        "connect-src": ["'self'", _live_source, *_stripe],
        "frame-src": ["https://js.stripe.com", "https://hooks.stripe.com"]
        if _stripe
        else ["'none'"],
        "form-action": ["'self'"],
        "frame-ancestors": ["'none'"],
        "base-uri": ["'none'"],
        "object-src": ["'none'"],
    },
}
_payment = '(self "https://js.stripe.com")' if _stripe else "()"
PERMISSIONS_POLICY = (
    "camera=(), display-capture=(), geolocation=(), gyroscope=(), magnetometer=(), microphone=(),"
    f" midi=(), payment={_payment}, usb=(), xr-spatial-tracking=()"
)
X_FRAME_OPTIONS = "DENY"
SECURE_CROSS_ORIGIN_OPENER_POLICY = "same-origin"
SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = "same-origin"
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"
SESSION_COOKIE_SECURE = not DEVELOPMENT
CSRF_COOKIE_SECURE = not DEVELOPMENT
CSRF_COOKIE_HTTPONLY = True
if not DEVELOPMENT:
    # Browsers take a cookie of this name over https and from this very host only: another host of
    # the same domain cannot plant one.
    SESSION_COOKIE_NAME = "__Host-session"
    CSRF_COOKIE_NAME = "__Host-csrf"
CSRF_FAILURE_VIEW = "apps.shop.views.errors.csrf_failure"
CSRF_TRUSTED_ORIGINS = [SHOP_URL]
if not DEVELOPMENT:
    SECURE_SSL_REDIRECT = read("SECURE_SSL_REDIRECT", a_switch, True)
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
    SECURE_REDIRECT_EXEMPT = [r"^healthz$", r"^readyz$", r"^metrics$"]
    SECURE_HSTS_SECONDS = 31_536_000
    SECURE_HSTS_INCLUDE_SUBDOMAINS = True
    SECURE_HSTS_PRELOAD = True
# How many proxies of our own stand in front; the client's address is that many entries from the
# right of X-Forwarded-For. 0: the header is not believed at all.
TRUSTED_PROXIES = read("TRUSTED_PROXIES", a_count, 0)

UNFOLD = {
    "SITE_TITLE": SHOP_NAME,
    "SITE_HEADER": SHOP_NAME,
    "SITE_SYMBOL": "storefront",
    "SITE_FAVICONS": [
        {"rel": "icon", "type": "image/svg+xml", "href": lambda request: static("favicon.svg")}
    ],
    "STYLES": [lambda request: static("admin/backoffice.css")],
    "DASHBOARD_CALLBACK": "apps.orders.backoffice.day.dashboard",
    "SIDEBAR": {"navigation": "apps.orders.backoffice.navigation.sidebar"},
    # The shop's pine, from needle to bark.
    "COLORS": {
        "primary": {
            "50": "#f0f7f3",
            "100": "#dcebe3",
            "200": "#bbd8ca",
            "300": "#8dbda7",
            "400": "#5d9c83",
            "500": "#3d8069",
            "600": "#2b6553",
            "700": "#1f4a3e",
            "800": "#1b3f36",
            "900": "#16382f",
            "950": "#0b201b",
        },
    },
}

# --- Logs: no secret, no card number ------------------------------------------------------------

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "filters": {"redact": {"()": "storefront.redaction.RedactFilter"}},
    "formatters": {"line": {"format": "%(asctime)s %(levelname)s %(name)s %(message)s"}},
    "handlers": {
        "console": {
            "class": "logging.StreamHandler",
            "formatter": "line",
            "filters": ["redact"],
            "stream": sys.stderr,
        }
    },
    "root": {"handlers": ["console"], "level": "WARNING"},
    "loggers": {
        "apps": {"level": "INFO"},
        "storefront": {"level": "INFO"},
        "celery": {"level": "WARNING"},
        # Its warnings are shoppers' mistakes: one line for each 404 and 429.
        "django.request": {"level": "ERROR"},
        "stripe": {"level": "WARNING"},
    },
}
