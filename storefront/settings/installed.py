"""Applications, middleware, templates and entry points."""

from storefront.settings.base import BASE_DIR

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
    "rest_framework_simplejwt.token_blacklist",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "channels",
    "djstripe",
    "treebeard",
    "csp",
    "django_otp",
    "django_otp.plugins.otp_totp",
    "django_otp.plugins.otp_static",
    "apps.core",
    "apps.customers",
    "apps.catalog",
    "apps.inventory",
    "apps.flash_sales",
    "apps.cart",
    "apps.promos",
    "apps.taxes",
    "apps.shipping",
    "apps.backoffice",
    "apps.payments",
    "apps.notifications",
    "apps.orders",
    "apps.api",
    "apps.web",
    "apps.realtime",
    "apps.demo",
]

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "apps.core.csp.PolicyMiddleware",
    # Before (outside of) sessions, so that it sees the cookie that they set.
    "apps.core.cache_control.CacheControlMiddleware",
    "apps.core.request_limits.RequestLimitsMiddleware",
    "apps.core.content_types.ContentTypeMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "apps.core.request_limits.StaffUploadsMiddleware",
    "apps.core.same_origin.SameOriginMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "apps.core.clean_forms.CleanFormsMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "apps.backoffice.sign_in.limits.BackofficeLimitsMiddleware",
    "apps.backoffice.sign_in.access.StaffAccessMiddleware",
    "apps.core.api_prefixes.PageMessagesMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "apps.core.database_unavailable.DatabaseUnavailableMiddleware",
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
                "apps.web.context_processors.shop",
            ],
        },
    },
]
