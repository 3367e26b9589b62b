"""Who may change which account, and when they must sign in again first."""

from typing import Any

from django.contrib.auth.admin import UserAdmin
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from unfold.admin import ModelAdmin

from apps.backoffice.sign_in import reauthentication
from apps.customers.models import User

RIGHTS = ("is_staff", "is_superuser", "groups", "user_permissions")


class GuardedUserAdmin(UserAdmin, ModelAdmin):
    """Django's UserAdmin with the rules of this package."""

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return super().has_change_permission(request, obj) and self._may_edit(request, obj)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return super().has_delete_permission(request, obj) and self._may_edit(request, obj)

    @staticmethod
    def _may_edit(request: HttpRequest, obj: Any) -> bool:
        """Whether this user may change the account `obj`: a colleague's is for superusers."""
        user: Any = request.user
        if user.is_superuser or not isinstance(obj, User):
            return True
        return not (obj.is_staff or obj.is_superuser)

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        fields = super().get_readonly_fields(request, obj)
        if request.user.is_superuser:  # type: ignore[union-attr]
            return fields
        return (*fields, *RIGHTS)

    def user_change_password(
        self, request: HttpRequest, id: str, form_url: str = ""
    ) -> HttpResponse:
        found = self.get_object(request, id)
        if found is not None and not self._may_edit(request, found):
            raise PermissionDenied
        # Setting a password takes the account over, a customer's too.
        if (answer := reauthentication.ask(request)) is not None:
            return answer
        return super().user_change_password(request, id, form_url)

    def changeform_view(
        self,
        request: HttpRequest,
        object_id: str | None = None,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> Any:
        sign_in = self._reauthentication(request, object_id)
        return sign_in or super().changeform_view(request, object_id, form_url, extra_context)

    def delete_view(
        self, request: HttpRequest, object_id: str, extra_context: dict[str, Any] | None = None
    ) -> Any:
        sign_in = self._reauthentication(request, object_id)
        return sign_in or super().delete_view(request, object_id, extra_context)

    def _reauthentication(self, request: HttpRequest, object_id: str | None) -> HttpResponse | None:
        """The page to sign in again, if the form changes rights or the account of a colleague."""
        if request.method != "POST" or not self._changes_rights(request, object_id):
            return None
        return reauthentication.ask(request)

    def _changes_rights(self, request: HttpRequest, object_id: str | None) -> bool:
        """Whether the account has rights, or the form gives it some.

        Always False for others than superusers: they get 403 for such an account, and their form
        has no fields for rights.
        """
        if not request.user.is_superuser:  # type: ignore[union-attr]
            return False
        if any(request.POST.getlist(name) for name in RIGHTS):
            return True
        found: Any = self.get_object(request, object_id) if object_id else None
        return found is not None and (
            found.is_staff
            or found.is_superuser
            or found.groups.exists()
            or found.user_permissions.exists()
        )
