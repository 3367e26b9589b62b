"""An order's page: where it is, live, and what may still be done about it."""

from datetime import datetime
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.db.models import Sum
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from apps.cart import carts
from apps.cart.carts import CartNotFound, CartsUnavailable
from apps.catalog import prices
from apps.customers import countries
from apps.orders import access, cancel, payloads, returns
from apps.orders.errors import NotCancellable, OrderNotFound, ReturnRefused
from apps.orders.models import Order, ReturnLine
from apps.shipping.models import Shipment
from apps.shop import cards, journey, visitors
from apps.shop.quantities import NotAQuantity, read_quantity
from apps.shop.views.errors import error_page, too_many
from storefront import rate_limits
from storefront.rate_limits import WRITES, limited

CARRIERS = {"local": "our own van"}


def find_order(request: HttpRequest, order_id: UUID) -> tuple[Order, str]:
    """The order and the token it was opened by ("" for its owner).

    Raises Http404 for everybody else, LimitReached for who guesses.
    """
    own = visitors.own_order(request, order_id)
    given = (request.POST.get("token") or request.GET.get("token") or "")[:80]
    token = given or (own.token if own else "")
    guesser = rate_limits.client_address(request.META)
    rate_limits.refuse_if_reached(rate_limits.WRONG_TOKENS_OF_ADDRESS, guesser)
    try:
        return access.find_order(order_id, user=request.user, token=token), token
    except OrderNotFound:
        rate_limits.count(rate_limits.WRONG_TOKENS_OF_ADDRESS, guesser)
        raise Http404 from None


@never_cache
@require_safe
@limited(answer=too_many)
def order(request: HttpRequest, order_id: UUID) -> HttpResponse:
    found, token = find_order(request, order_id)
    if "payment_intent" in request.GET:
        # Back from 3-D Secure: the gateway's parameters hold a secret, so the address drops them.
        return redirect(_address(request, found, token))
    return _page(request, found, token)


@require_POST
@limited(*WRITES, answer=too_many)
def cancel_order(request: HttpRequest, order_id: UUID) -> HttpResponse:
    found, token = find_order(request, order_id)
    try:
        cancel.request_cancellation(found.pk, actor=access.name_of(request.user))
    except NotCancellable:
        messages.error(request, "It is too late for that: the order has left, or is over.")
    else:
        messages.success(request, "We are calling it off. This page shows when it is done.")
    return redirect(_address(request, found, token))


@require_POST
@limited(*WRITES, answer=too_many)
def order_again(request: HttpRequest, order_id: UUID) -> HttpResponse:
    """Put a cancelled order's things back into the cart."""
    try:
        found, token = find_order(request, order_id)
        own = visitors.own_order(request, order_id)
        if found.status != Order.Status.CANCELLED or not _can_reorder(request, found):
            raise Http404
        rate_limits.count(rate_limits.WRITES_OF_CART, str(found.cart_id))
        cart = carts.reopen(
            found.cart_id,
            user=request.user if request.user.is_authenticated else None,
            token=own.cart_token if own else None,
        )
        visitors.bring_back(request, cart)
    except CartsUnavailable:
        return error_page(request, 503, retry_after=2)
    except CartNotFound:
        messages.error(request, "That cart is gone by now. The things themselves may not be.")
        return redirect(_address(request, found, token))
    return redirect("shop:cart")


@require_POST
@limited(*WRITES, answer=too_many)
def return_order(request: HttpRequest, order_id: UUID) -> HttpResponse:
    found, token = find_order(request, order_id)
    typed = {
        line.sku: request.POST.get(f"quantity-{line.sku}", "0").strip() or "0"
        for line in found.lines.all()
    }
    reason = request.POST.get("reason", "").replace("\x00", "").strip()[:500]
    errors: dict[str, str] = {}
    wanted: list[tuple[str, int]] = []
    for sku, text in typed.items():
        try:
            quantity = read_quantity(text, at_least=0)
            if quantity:
                wanted.append((sku, quantity))
        except NotAQuantity as refused:
            errors[sku] = str(refused)
    if not errors and not wanted:
        errors[""] = "Say how many of which should come back."
    if not reason:
        errors["reason"] = "A few words, please; one is enough."
    if not errors:
        try:
            returns.request_return(found.pk, lines=wanted, reason=reason)
        except ReturnRefused as refused:
            errors = {field or "": message for field, _code, message in refused.errors}
        else:
            messages.success(request, "Noted. Send it back within two weeks; we will be waiting.")
            return redirect(_address(request, found, token))
    return _page(request, found, token, typed=typed, errors=errors, reason=reason, status=400)


def _address(request: HttpRequest, found: Order, token: str) -> str:
    address = reverse("shop:order", args=[found.pk])
    return f"{address}?token={token}" if token else address


def _can_reorder(request: HttpRequest, found: Order) -> bool:
    if found.status != Order.Status.CANCELLED or found.cart_id is None:
        return False
    own = visitors.own_order(request, found.pk)
    mine = request.user.is_authenticated and found.user_id == request.user.pk
    return mine or (own is not None and own.cart_token is not None)


def _page(
    request: HttpRequest,
    found: Order,
    token: str,
    *,
    typed: dict[str, str] | None = None,
    errors: dict[str, str] | None = None,
    reason: str = "",
    status: int = 200,
) -> HttpResponse:
    errors = errors or {}
    lines = list(found.lines.all())
    pictures = {sku: offer.image for sku, offer in prices.offers(ln.sku for ln in lines).items()}
    moves = payloads.events_after(found, 0)
    last = moves[-1]
    action = last["next_action"] or {}
    base_url = f"{request.scheme}://{request.get_host()}"
    shipment = Shipment.objects.filter(order_id=found.pk).exclude(state="cancelled").first()
    context: dict[str, Any] = {
        "order": found,
        "token": token,
        "status": last,
        "label": journey.PLACES[found.status].label,
        "stages": journey.stages_of(found.status),
        "journey": journey.for_script(),
        "moves": [move | {"at": datetime.fromisoformat(move["updated_at"])} for move in moves],
        "settled": found.status in journey.SETTLED,
        "action_url": action.get("url", "") if found.status == "REQUIRES_ACTION" else "",
        "can_cancel": cancel.is_cancellable(found),
        "can_reorder": _can_reorder(request, found),
        "lines": [
            {
                "name": line.name,
                "quantity": line.quantity,
                "line_amount": line.line_amount,
                "image": pictures.get(line.sku) or cards.placeholder(),
            }
            for line in lines
        ],
        "returns": found.returns.prefetch_related("lines__line").order_by("created_at"),
        "return_lines": _return_lines(found, lines, typed or {}, errors),
        "return_error": errors.get("", ""),
        "reason": reason,
        "reason_error": errors.get("reason", ""),
        "shipment": shipment,
        "carrier": CARRIERS.get(shipment.carrier, shipment.carrier) if shipment else "",
        "address_lines": _address_lines(found.shipping_address),
        "websocket_url": f"{payloads.live_url(base_url)}/ws/orders/{found.pk}/",
        "status_url": f"/api/v1/orders/{found.pk}/status/",
    }
    return render(request, "shop/order.html", context, status=status)


def _return_lines(
    found: Order, lines: list[Any], typed: dict[str, str], errors: dict[str, str]
) -> list[dict[str, Any]]:
    """What may still come back; empty before delivery and when all of it is announced."""
    if found.status not in returns.RETURNABLE:
        return []
    announced = dict(
        ReturnLine.objects.filter(of_return__order=found)
        .values_list("line__sku")
        .annotate(units=Sum("quantity"))
    )
    return [
        {
            "sku": line.sku,
            "name": line.name,
            "quantity": line.quantity,
            "returnable": line.quantity - announced.get(line.sku, 0),
            "typed": typed.get(line.sku, "0")[:10],
            "error": errors.get(line.sku, ""),
        }
        for line in lines
        if line.quantity > announced.get(line.sku, 0)
    ]


def _address_lines(address: dict[str, str]) -> list[str]:
    city = " ".join(
        part for part in (address.get(n) for n in ("city", "region", "postal_code")) if part
    )
    country = countries.names().get(address.get("country", ""), address.get("country", ""))
    parts = (address.get("name"), address.get("line1"), address.get("line2"), city, country)
    return [part for part in parts if part]
