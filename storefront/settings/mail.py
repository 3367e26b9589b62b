"""Mail: by EMAIL_URL, else into files."""

from storefront.settings.base import SHOP_NAME, STOREFRONT_HOME
from storefront.settings.environment import env, read

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
if vars()["EMAIL_BACKEND"] == "django.core.mail.backends.filebased.EmailBackend":
    EMAIL_BACKEND = "apps.core.mail_files.PrivateFiles"  # everybody can read the files of Django's
EMAIL_TIMEOUT = 10
