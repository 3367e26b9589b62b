from django.apps import AppConfig
from django.db.models.signals import post_delete, post_save


class TaxesConfig(AppConfig):
    name = "apps.taxes"
    label = "taxes"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from apps.taxes import rates
        from apps.taxes.models import TaxRate

        # A change in the admin applies in this process at once, in others when their cache expires.
        post_save.connect(rates.forget, sender=TaxRate, dispatch_uid="taxes.saved")
        post_delete.connect(rates.forget, sender=TaxRate, dispatch_uid="taxes.deleted")
