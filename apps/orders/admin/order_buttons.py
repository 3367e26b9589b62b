"""The buttons on an order's page: each opens the page of a staff action or of a decision."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import path, reverse
from unfold.decorators import action
from unfold.enums import ActionVariant

from apps.backoffice import review_cases
from apps.backoffice.actions import Done, StaffAction, actor, perform
from apps.backoffice.order_links import order_url
from apps.backoffice.read_only import ReadOnlyAdmin
from apps.backoffice.review_cases import parse_uuid
from apps.customers.models import User
from apps.orders.admin.actions import cancellation, erasure, refund, returned_goods, shipment
from apps.orders.admin.actions.offered import offered
from apps.orders.admin.actions.permissions import CANCEL, DECIDE, ERASE, RECEIVE, REFUND, SHIP
from apps.orders.models import Order
from apps.orders.saga import review


def _with_status(order: Order, do: Callable[[Any], Done]) -> Callable[[Any], Done]:
    """`do`, whose text for the history also says from which status to which the order went."""

    def done(form: Any) -> Done:
        before = Order.objects.get(pk=order.pk).get_status_display()
        told = do(form)
        after = Order.objects.get(pk=order.pk).get_status_display()
        moved = "" if before == after else f" Status: {before} → {after}."
        return [(record, f"{text}{moved}") for record, text in told]

    return done


class OrderButtonsAdmin(ReadOnlyAdmin):
    """An admin of orders with a button for each action that makes sense as the order stands."""

    actions_detail = (
        "hand_over", "deliver", "receive_return", "refuse_return", "refund", "retry", "undo",
        "accept_part", "resolve", "cancel", "erase_buyer",
    )  # fmt: skip

    def get_actions_detail(self, request: HttpRequest, object_id: Any) -> Any:
        order_id = parse_uuid(str(object_id))
        names = offered(order_id, request.user) if order_id is not None else frozenset()
        prefix = f"{self.opts.app_label}_{self.opts.model_name}_"
        return [
            shown
            for shown in super().get_actions_detail(request, object_id)
            if shown.action_name.removeprefix(prefix) in names
        ]

    def _perform(self, request: HttpRequest, object_id: str, make: Any) -> HttpResponse:
        order = self.get_object(request, object_id)
        if order is None:
            messages.error(request, "No such order.")
            return HttpResponseRedirect(reverse("admin:orders_order_changelist"))
        staff_action: StaffAction = make(order, actor=actor(request))
        told = replace(staff_action, do=_with_status(order, staff_action.do))
        return perform(self, request, told, back=order_url(order.pk), target=order)

    @action(
        description="Hand to carrier",
        url_path="hand-over",
        permissions=[SHIP],
        icon="local_shipping",
        variant=ActionVariant.PRIMARY,
    )
    def hand_over(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return self._perform(request, object_id, shipment.handover)

    @action(
        description="Mark delivered",
        url_path="deliver",
        permissions=[SHIP],
        icon="task_alt",
        variant=ActionVariant.PRIMARY,
    )
    def deliver(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return self._perform(request, object_id, shipment.delivery)

    @action(
        description="Receive return",
        url_path="receive-return",
        permissions=[RECEIVE],
        icon="assignment_return",
        variant=ActionVariant.PRIMARY,
    )
    def receive_return(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return self._perform(request, object_id, returned_goods.receive_return)

    @action(
        description="Refuse return",
        url_path="refuse-return",
        permissions=[RECEIVE],
        icon="assignment_late",
        variant=ActionVariant.DANGER,
    )
    def refuse_return(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return self._perform(request, object_id, returned_goods.refuse_return)

    @action(
        description="Refund",
        url_path="refund",
        permissions=[REFUND],
        icon="currency_exchange",
    )
    def refund(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return self._perform(request, object_id, refund.refund)

    @action(
        description="Cancel",
        url_path="cancel",
        permissions=[CANCEL],
        icon="cancel",
        variant=ActionVariant.DANGER,
    )
    def cancel(self, request: HttpRequest, object_id: str) -> HttpResponse:
        make = partial(
            cancellation.cancellation,
            may_refund=request.user.has_perm(REFUND),  # type: ignore[union-attr]
        )
        return self._perform(request, object_id, make)

    @action(
        description="Erase buyer",
        url_path="erase-buyer",
        permissions=[ERASE],
        icon="person_remove",
    )
    def erase_buyer(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return self._perform(request, object_id, erasure.of_guest)

    def erase_account(self, request: HttpRequest, user_id: int) -> HttpResponse:
        """The button of an account's page: orders know when a buyer may be erased."""
        user = User.objects.filter(pk=user_id).first()
        if user is None:
            messages.error(request, "No such account.")
            return HttpResponseRedirect(reverse("admin:customers_user_changelist"))
        staff_action = erasure.of_account(user, actor=actor(request))
        back = reverse("admin:customers_user_change", args=[user.pk])
        return perform(self, request, staff_action, back=back)

    def get_urls(self) -> list[Any]:
        view = self.admin_site.admin_view(self.erase_account)
        own = [path("erase-account/<int:user_id>/", view, name="orders_erase_account")]
        return own + super().get_urls()

    @action(
        description="Try again",
        url_path="retry",
        permissions=[DECIDE],
        icon="replay",
        variant=ActionVariant.PRIMARY,
    )
    def retry(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return self._decide(request, object_id, "retry")

    @action(
        description="Undo the order",
        url_path="undo",
        permissions=[DECIDE, REFUND],
        icon="undo",
        variant=ActionVariant.DANGER,
    )
    def undo(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return self._decide(request, object_id, "undo")

    @action(
        description="Accept the part",
        url_path="accept-part",
        permissions=[DECIDE],
        icon="price_check",
    )
    def accept_part(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return self._decide(request, object_id, review.ACCEPT_PART)

    @action(
        description="Close as it is",
        url_path="resolve",
        permissions=[DECIDE],
        icon="inventory",
    )
    def resolve(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return self._decide(request, object_id, "resolve")

    def _decide(self, request: HttpRequest, object_id: str, name: str) -> HttpResponse:
        order = self.get_object(request, object_id)
        if order is None:
            messages.error(request, "No such order.")
            return HttpResponseRedirect(reverse("admin:orders_order_changelist"))
        refs = [(review.KIND, str(order.pk))]
        return review_cases.decide(
            self, request, name, refs, back=order_url(order.pk), target=order
        )
