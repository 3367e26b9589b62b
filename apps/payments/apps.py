from django.apps import AppConfig


class PaymentsConfig(AppConfig):
    name = "apps.payments"
    label = "payments"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from apps.payments import stripe_account  # these import models, which are ready only now
        from apps.payments.mirror import receivers

        receivers.take_over()
        stripe_account.take_over()
