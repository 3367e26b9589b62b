"""The orders app."""

from django.apps import AppConfig


class OrdersConfig(AppConfig):
    """Connects what other apps signal or ask to the orders. Models are loaded only in `ready`."""

    name = "apps.orders"
    label = "orders"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from apps.flash_sales import gate_counts
        from apps.orders.fulfilment import refund_notices  # noqa: F401  (receives refund_succeeded)
        from apps.orders.intake import statements
        from apps.orders.saga import resume  # noqa: F401  (receives payments_settled)

        gate_counts.recall_with(statements.keys_of_orders)
