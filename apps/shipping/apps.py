from django.apps import AppConfig
from django.db.models.signals import post_delete, post_save


class ShippingConfig(AppConfig):
    name = "apps.shipping"
    label = "shipping"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from apps.shipping import rates
        from apps.shipping.models import Method, Rate, Zone

        # A change in the admin applies in this process at once, in others when their cache expires.
        for model in (Zone, Method, Rate):
            uid = f"shipping.{model.__name__}"
            post_save.connect(rates.forget, sender=model, dispatch_uid=f"{uid}.saved")
            post_delete.connect(rates.forget, sender=model, dispatch_uid=f"{uid}.deleted")
