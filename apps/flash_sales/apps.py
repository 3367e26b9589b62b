from django.apps import AppConfig


class FlashSalesConfig(AppConfig):
    name = "apps.flash_sales"
    label = "flash_sales"
    default_auto_field = "django.db.models.BigAutoField"
    verbose_name = "Flash sales"
