"""The buttons on an order's page: each opens the page of a staff action or of a decision."""

from functools import partial
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from unfold.decorators import action
from unfold.enums import ActionVariant

from apps.backoffice import review_cases
from apps.backoffice.actions import StaffAction, actor, perform
from apps.backoffice.order_links import order_url
from apps.backoffice.read_only import ReadOnlyAdmin
from apps.backoffice.review_cases import parse_uuid
from apps.orders.admin.actions import cancellation, refund, returned_goods, shipment
from apps.orders.admin.actions.offered import offered
from apps.orders.admin.actions.permissions import CANCEL, DECIDE, RECEIVE, REFUND, SHIP
from apps.orders.saga import review


class OrderButtonsAdmin(ReadOnlyAdmin):
    """An admin of orders with a button for each action that makes sense as the order stands."""

    actions_detail = (
        "hand_over", "deliver", "receive_return", "refund", "retry", "undo", "accept_part",
        "resolve", "cancel",
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
        return perform(self, request, staff_action, back=order_url(order.pk), target=order)

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
