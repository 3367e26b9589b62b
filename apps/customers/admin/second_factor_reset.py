"""The button "Reset second factor" on a colleague's account."""

from collections.abc import Sequence
from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from unfold.admin import ModelAdmin
from unfold.decorators import action
from unfold.enums import ActionVariant

from apps.backoffice.actions import Done, Refusal, StaffAction, actor, perform
from apps.backoffice.sign_in import enrolment, second_factor

RESET = "reset_second_factor"
EXPLANATION = (
    "Make sure that it is they who ask: by telephone or in person, not by mail."
    " They are signed out of the back office, and set up a new one at their next sign-in."
    " If somebody else may know the password, set a new one first."
)


class SecondFactorReset(ModelAdmin):
    """For the admin of accounts: the action, shown to superusers where there is a device."""

    actions_detail: Sequence[str] = (RESET,)

    def get_actions_detail(self, request: HttpRequest, object_id: Any) -> Any:
        person: Any = self.get_object(request, str(object_id))
        may = request.user.is_superuser  # type: ignore[union-attr]
        shown = super().get_actions_detail(request, object_id)
        if person is None or not may or second_factor.device_id(person) is None:
            return [each for each in shown if not each.action_name.endswith(RESET)]
        return shown

    @action(
        description="Reset second factor",
        url_path="reset-second-factor",
        permissions=["customers.change_user"],
        icon="phonelink_erase",
        variant=ActionVariant.DANGER,
    )
    def reset_second_factor(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """For a colleague who has lost both phone and backup codes."""
        person: Any = self.get_object(request, object_id)
        if not request.user.is_superuser:  # type: ignore[union-attr]
            raise PermissionDenied
        if person is None:
            messages.error(request, "No such account.")
            return HttpResponseRedirect(reverse("admin:customers_user_changelist"))
        asked = StaffAction(
            title=f"Reset the second factor of {person.email}",
            button="Reset",
            permission="customers.change_user",
            explanation=EXPLANATION,
            do=lambda form: _reset(person, request, reason=form.cleaned_data["reason"]),
            danger=True,
            fresh_sign_in=True,
        )
        back = reverse("admin:customers_user_change", args=[person.pk])
        return perform(self, request, asked, back=back, target=person)


def _reset(person: Any, request: HttpRequest, *, reason: str) -> Done:
    if person.pk == request.user.pk:
        raise Refusal("Replace your own on your page “Second factor”.")
    if not enrolment.reset(person, actor=actor(request), reason=reason):
        raise Refusal("There is no second factor to reset.")
    return [(person, f"{person.email}: second factor reset. {reason}")]
