"""Logs: without secrets and card numbers, and limited in number and length."""

import sys

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "filters": {
        "frequency": {"()": "apps.core.log_limits.FrequencyFilter"},
        "redact": {"()": "apps.core.redaction.RedactFilter"},
        "length": {"()": "apps.core.log_limits.LengthFilter"},
    },
    "formatters": {"line": {"format": "%(asctime)s %(levelname)s %(name)s %(message)s"}},
    "handlers": {
        "console": {
            "class": "logging.StreamHandler",
            "formatter": "line",
            "filters": ["frequency", "redact", "length"],
            "stream": sys.stderr,
        }
    },
    "root": {"handlers": ["console"], "level": "WARNING"},
    "loggers": {
        "apps": {"level": "INFO"},
        "storefront": {"level": "INFO"},
        "tools": {"level": "INFO"},
        "celery": {"level": "WARNING"},
        # Its warnings are clients' mistakes: one line for each 404 and 429.
        "django.request": {"level": "ERROR"},
        "stripe": {"level": "WARNING"},
    },
}
