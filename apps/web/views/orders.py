"""An order's page: its live status, and paying it again, cancelling or returning it."""

from uuid import UUID

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_POST, require_safe

from apps.core.error_pages import too_many
from apps.core.rate_limits import WRITES, limited
from apps.orders import access, tokens
from apps.orders.errors import NotCancellable, NotPayable, OrderNotFound, ReturnRefused
from apps.orders.fulfilment import cancellation, returns
from apps.orders.models import Order
from apps.orders.saga import hold_times
from apps.orders.saga.pay_again import pay_again
from apps.web import order_page, visitor_session
from apps.web.forms import PAYMENT_TOKEN
from apps.web.order_page import ReturnForm
from apps.web.quantities import NotAQuantity, read_quantity


def find_order(request: HttpRequest, order_id: UUID) -> tuple[Order, str]:
    """The order and the token that opened it ("" for its owner).

    Raises Http404 without the right to see it, LimitReached after too many wrong tokens.
    """
    own = visitor_session.own_order(request, order_id)
    token = (request.POST.get("token") or request.GET.get("token") or "")[:80]
    # A link that was cut short must not hide the order from the browser that placed it.
    if own is not None and own.token and not tokens.is_valid(order_id, token):
        token = own.token
    try:
        return access.find_order(order_id, user=request.user, token=token), token
    except OrderNotFound:
        raise Http404 from None


@require_safe
@limited(answer=too_many)
def order(request: HttpRequest, order_id: UUID) -> HttpResponse:
    try:
        found, token = find_order(request, order_id)
    except Http404:
        if "payment_intent" in request.GET:
            return redirect("web:order-back", order_id)
        raise
    if "payment_intent" in request.GET:
        # Back from 3-D Secure: the gateway's parameters hold a secret, so redirect without them.
        return redirect(order_address(found, token))
    return _page(request, found, token)


@require_safe
def back_from_bank(request: HttpRequest, order_id: UUID) -> HttpResponse:
    """For a browser that did not order: the shopper's app or mail has sent it to the bank.

    The address at the bank has no token (payloads.return_url), so this page shows nothing of an
    order, and is the same for orders that do not exist.
    """
    return render(request, "web/back_from_bank.html")


@require_safe
@limited(answer=too_many)
def to_the_bank(request: HttpRequest, order_id: UUID) -> HttpResponse:
    """Redirect to the bank's page for 3-D Secure, and extend the hold on the units once.

    A link and not a form: the Content-Security-Policy lets no form lead to another host.
    """
    found, token = find_order(request, order_id)
    url = "" if request.method == "HEAD" else hold_times.begin(found.pk)
    if not url.startswith(("https://", "http://")):
        return redirect(order_address(found, token))
    return redirect(url)


@require_POST
@limited(*WRITES, answer=too_many)
def pay_order(request: HttpRequest, order_id: UUID) -> HttpResponse:
    """Pay with another card, after one was declined."""
    found, token = find_order(request, order_id)
    card = request.POST.get("payment_method", "")
    if not PAYMENT_TOKEN.fullmatch(card):
        return _page(request, found, token, card_error="Choose how you pay.", status=400)
    try:
        pay_again(found.pk, payment_method=card, actor=access.name_of(request.user))
    except NotPayable:
        found.refresh_from_db()
        if found.status in (Order.Status.PAYMENT_FAILED, Order.Status.CANCELLED):
            messages.error(request, "It is too late for that: we do not hold the order any more.")
        else:  # the button was pressed twice, or in another tab
            messages.info(request, "It is being paid already. Nothing is charged twice.")
    return redirect(order_address(found, token))


@require_POST
@limited(*WRITES, answer=too_many)
def cancel_order(request: HttpRequest, order_id: UUID) -> HttpResponse:
    found, token = find_order(request, order_id)
    try:
        cancellation.request_cancellation(found.pk, actor=access.name_of(request.user))
    except NotCancellable:
        messages.error(request, "It is too late for that: the order has left, or is over.")
    else:
        messages.success(request, "We are calling it off. This page shows when it is done.")
    return redirect(order_address(found, token))


@require_POST
@limited(*WRITES, answer=too_many)
def return_order(request: HttpRequest, order_id: UUID) -> HttpResponse:
    found, token = find_order(request, order_id)
    form, wanted = _read_return(request, found)
    if not form.errors:
        try:
            returns.request_return(found.pk, lines=wanted, reason=form.reason)
        except ReturnRefused as refused:
            form.errors.update(_return_errors(found, refused))
        else:
            messages.success(request, "Noted. Below is where it goes and what to write on it.")
            return redirect(order_address(found, token))
    return _page(request, found, token, form=form, status=400)


def _read_return(request: HttpRequest, order: Order) -> tuple[ReturnForm, list[tuple[str, int]]]:
    """The form, with its errors, and (SKU, quantity) of the lines to be returned."""
    form = ReturnForm(
        typed={
            line.sku: request.POST.get(f"quantity-{line.sku}", "0").strip() or "0"
            for line in order.lines.all()
        },
        reason=request.POST.get("reason", "").replace("\x00", "").strip()[:500],
    )
    wanted: list[tuple[str, int]] = []
    for sku, text in form.typed.items():
        try:
            quantity = read_quantity(text, at_least=0)
            if quantity:
                wanted.append((sku, quantity))
        except NotAQuantity as refused:
            form.errors[sku] = str(refused)
    if not form.errors and not wanted:
        form.errors[""] = "Say how many of which should come back."
    if not form.reason:
        form.errors["reason"] = "A few words, please; one is enough."
    return form, wanted


def _return_errors(order: Order, refused: ReturnRefused) -> dict[str, str]:
    """What is wrong with a return, by SKU, in words that name the goods: shoppers know no SKUs."""
    names = {line.sku: line.name for line in order.lines.all()}
    left = returns.returnable(order)
    return {
        field: f"At most {left.get(field, 0)} of {names[field]} can come back."
        if code == "too_many" and field in names
        else text.replace(field, names.get(field, field))
        if field
        else text
        for field, code, text in refused.errors
    }


def order_address(found: Order, token: str) -> str:
    """The page of `found`, with the token that opened it."""
    address = reverse("web:order", args=[found.pk])
    return f"{address}?token={token}" if token else address


def can_reopen(request: HttpRequest, found: Order) -> bool:
    """Whether the visitor may open the cart of `found` again."""
    if found.status != Order.Status.CANCELLED or found.cart_id is None:
        return False
    own = visitor_session.own_order(request, found.pk)
    mine = request.user.is_authenticated and found.user_id == request.user.pk
    return mine or (own is not None and own.cart_token is not None)


def _page(
    request: HttpRequest,
    found: Order,
    token: str,
    *,
    form: ReturnForm | None = None,
    card_error: str = "",
    status: int = 200,
) -> HttpResponse:
    context = order_page.context_of(
        found,
        token=token,
        base_url=f"{request.scheme}://{request.get_host()}",
        can_reorder=can_reopen(request, found),
        form=form or ReturnForm(),
        card_error=card_error,
    )
    return render(request, "web/order.html", context, status=status)
