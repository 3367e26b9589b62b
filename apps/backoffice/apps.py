from typing import Any

from django.apps import AppConfig
from django.conf import settings
from django.core.checks import Tags, Warning, register


def second_factor_is_on(**_: Any) -> list[Warning]:
    """For `check --deploy`: in production, staff sign in with two factors."""
    if settings.STAFF_SECOND_FACTOR:
        return []
    return [
        Warning("STAFF_SECOND_FACTOR is off: staff sign in by password alone", id="backoffice.W001")
    ]


class BackofficeConfig(AppConfig):
    name = "apps.backoffice"
    label = "backoffice"
    verbose_name = "back office"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from django.contrib.auth.signals import user_logged_in

        from apps.backoffice.sign_in import staff_session

        register(second_factor_is_on, Tags.security, deploy=True)
        user_logged_in.connect(staff_session.on_sign_in, dispatch_uid="staff-session")
