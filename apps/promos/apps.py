from django.apps import AppConfig


class PromosConfig(AppConfig):
    name = "apps.promos"
    label = "promos"
    default_auto_field = "django.db.models.BigAutoField"
