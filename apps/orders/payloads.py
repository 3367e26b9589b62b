"""Orders as clients see them: the same documents for API, websocket and pages."""

from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

from django.conf import settings

from apps.core import money
from apps.orders import order_parts, tokens
from apps.orders.models import Order, OrderEvent
from apps.orders.transitions import event_payload
from apps.shipping.models import Shipment


def status(order: Order) -> dict[str, Any]:
    """`{id, number, status, seq, message, updated_at, next_action}` of the order's last move."""
    return event(OrderEvent.objects.get(order=order, seq=order.seq), number=order.number)


def event(moved: OrderEvent, *, number: str) -> dict[str, Any]:
    """One move, in the form of `status`."""
    return event_payload(
        moved.order_id,
        number,
        moved.status,
        moved.seq,
        moved.message,
        moved.created_at,
        moved.next_action,
    )


def events_after(order: Order, seq: int) -> list[dict[str, Any]]:
    """The moves after `seq`, oldest first."""
    return [event(e, number=order.number) for e in order.events.filter(seq__gt=seq).order_by("seq")]


def etag(order: Order) -> str:
    """The ETag of the status endpoint: changes with each move and with nothing else."""
    return f'"{order.pk.hex}-{order.seq}"'


def order(placed: Order) -> dict[str, Any]:
    """The whole order for its owner."""
    last = status(placed)
    shipment = Shipment.objects.filter(order_id=placed.pk).exclude(state="cancelled").first()
    return last | {
        "email": placed.email,
        "placed_at": order_parts.moment(placed.placed_at),
        "lines": order_parts.lines(placed),
        "totals": {
            name: money.payload(amount, placed.currency)
            for name, amount in (
                ("subtotal", placed.subtotal_amount),
                ("discount", placed.discount_amount),
                ("shipping", placed.shipping_amount),
                ("tax", placed.tax_amount),
                ("total", placed.total_amount),
            )
        },
        "total": money.payload(placed.total_amount, placed.currency),
        "promo_codes": placed.promo_codes,
        "shipping_address": placed.shipping_address,
        "billing_address": placed.billing_address,
        "shipping_method": placed.shipping_method,
        "shipment": shipment
        and {
            "carrier": shipment.carrier,
            "tracking_number": shipment.tracking_number,
            "state": shipment.state,
            "estimated_from": shipment.estimated_from.isoformat(),
            "estimated_to": shipment.estimated_to.isoformat(),
        },
        "payments": order_parts.payments(placed),
        "refunds": order_parts.refunds(placed),
        "returns": order_parts.returns(placed),
        "links": links(placed.pk, base_url=settings.SHOP_URL),
    }


def accepted(
    order_id: UUID,
    number: str,
    *,
    total_amount: int,
    currency: str,
    base_url: str,
    place: tuple[int, int],
) -> dict[str, Any]:
    """The body of a checkout's 202; stored with the idempotency key and replayed unchanged.

    total_amount: minor units. place: (position, estimated wait in seconds).
    """
    token = tokens.order_token(order_id)
    position, wait = place
    return {
        "order": {
            "id": str(order_id),
            "number": number,
            "status": Order.Status.PENDING.value,
            "total": money.payload(total_amount, currency),
            "token": token,
        },
        "links": links(order_id, base_url=base_url, token=token),
        "queue": {"position": position, "estimated_wait_seconds": wait},
    }


def links(order_id: UUID, *, base_url: str, token: str = "") -> dict[str, str]:
    """Absolute URLs of an order, with the guest's token where one is given."""
    itself = f"{base_url}/api/v1/orders/{order_id}/"
    query = f"?token={token}" if token else ""
    return {
        "self": itself,
        "status": f"{itself}status/",
        "events": f"{itself}events/",
        "websocket": f"{live_url(base_url)}/ws/orders/{order_id}/{query}",
    }


def payments_url(order_id: UUID) -> str:
    """Where a client POSTs another card for an order whose payment was declined."""
    return f"{settings.SHOP_URL}/api/v1/orders/{order_id}/payments/"


def page_url(order_id: UUID) -> str:
    """The URL of the order's page with its token: for mails."""
    return f"{settings.SHOP_URL}/orders/{order_id}/?token={tokens.order_token(order_id)}"


def return_url(order_id: UUID, *, base_url: str = "") -> str:
    """Where the bank sends the shopper back to.

    Without the token: gateway and bank keep this address, and whoever has the token has the order.
    The browser that ordered is known by its session.
    """
    return f"{base_url or settings.SHOP_URL}/orders/{order_id}/"


def live_url(base_url: str) -> str:
    """The origin of the websockets for a client of `base_url`: LIVE_URL, or the same origin."""
    if settings.LIVE_URL:
        return settings.LIVE_URL
    parts = urlsplit(base_url)
    return f"{'wss' if parts.scheme == 'https' else 'ws'}://{parts.netloc}"
