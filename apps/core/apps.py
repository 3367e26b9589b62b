from django.apps import AppConfig
from django.utils.module_loading import autodiscover_modules


class CoreConfig(AppConfig):
    """Building blocks: no models, one trigger function, checks before a deployment."""

    name = "apps.core"
    label = "core"

    def ready(self) -> None:
        # `deploy_checks` registers its checks; each app's `metrics` registers what it counts.
        autodiscover_modules("deploy_checks", "metrics")
