"""System checks of admin actions that need no database.

Unfold looks each action's permission up in the table of permissions. That table does not exist on a
new database or on a machine that only checks a deployment. The models declare the same permissions.
"""

from typing import Any

from django.apps import apps
from django.contrib.auth import get_permission_codename
from django.core.checks import Error
from unfold.checks import UnfoldModelAdminChecks

VERBS = ("add", "change", "delete", "view")


class OfflineChecks(UnfoldModelAdminChecks):
    """Unfold's checks, with the permissions that the models declare instead of the table."""

    def _check_unfold_action_permission_methods(self, obj: Any) -> list[Error]:
        known = {
            f"{model._meta.app_label}.{codename}"
            for model in apps.get_models()
            for codename in (
                *(get_permission_codename(verb, model._meta) for verb in VERBS),
                *(codename for codename, _ in model._meta.permissions),
            )
        }
        actions = (
            *obj._get_base_actions_list(),
            *obj._get_base_actions_detail(),
            *obj._get_base_actions_row(),
            *obj._get_base_actions_submit_line(),
        )
        return [
            Error(
                f"{type(obj).__name__}.{action.method.__name__}: no permission {permission}",
                obj=type(obj),
                id="backoffice.E001",
            )
            for action in actions
            for permission in getattr(action.method, "allowed_permissions", ())
            if not (permission in known or hasattr(obj, f"has_{permission}_permission"))
        ]
