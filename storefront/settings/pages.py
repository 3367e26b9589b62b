"""Language, static files, uploaded files, and how large a request may be."""

from storefront.settings.base import BASE_DIR, DEVELOPMENT, STOREFRONT_HOME

LANGUAGE_CODE = "en-us"
TIME_ZONE = "UTC"
USE_I18N = False
# ISO 3166 has no code for Kosovo yet; posts, carriers and Stripe use this one.
COUNTRIES_OVERRIDE = {"XK": "Kosovo"}
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
DATA_UPLOAD_MAX_MEMORY_SIZE = 1_000_000  # bytes; the largest real body is a cart of a few KB
DATA_UPLOAD_MAX_NUMBER_FIELDS = 500
