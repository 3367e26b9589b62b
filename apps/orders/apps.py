from django.apps import AppConfig


class OrdersConfig(AppConfig):
    name = "apps.orders"
    label = "orders"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from apps.orders import intake_rows
        from apps.orders import wake as wake  # connects its receivers
        from apps.sales import gate_counts

        gate_counts.recall_with(intake_rows.keys_of_orders)
