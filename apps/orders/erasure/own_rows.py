"""Takes the person out of the orders' own tables. Lines, amounts, tax and statuses stay."""

from collections.abc import Mapping, Sequence
from typing import Any

from apps.core.append_only import texts_may_lose_a_person
from apps.core.erased_person import ErasedPerson, clean_rows
from apps.orders.models import IdempotencyKey, Order, OrderEvent, Return, Saga, SagaStep

NAME = "Erased"
# What taxes were reckoned by, and what the books have to show.
KEPT = ("country", "region")
NO_BODY = bytes(32)  # instead of the digest of what was sent, which has the address in it


def words_of(orders: Sequence[Order]) -> set[str]:
    """What the orders say about the person."""
    said = set()
    for order in orders:
        said |= {order.email, order.mailbox}
        for address in (order.shipping_address, order.billing_address or {}):
            said |= {str(address.get(part) or "") for part in ("name", "line1", "phone")}
    return said - {NAME}


def erased_address(address: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """The address with country and region only, and a word in place of the name."""
    if not address:
        return None
    return {part: kept if part in KEPT else "" for part, kept in address.items()} | {"name": NAME}


def erase(person: ErasedPerson, orders: Sequence[Order]) -> None:
    """In the caller's transaction, which has locked `orders`."""
    for order in orders:
        address = person.addresses[order.mailbox]
        Order.objects.filter(pk=order.pk).update(
            email=address,
            mailbox=address,
            client="",
            shipping_address=erased_address(order.shipping_address) or {},
            billing_address=erased_address(order.billing_address),
        )
    ids = person.order_ids
    with texts_may_lose_a_person():
        events = OrderEvent.objects.filter(order__in=ids)
        clean_rows(person, events, "message", "actor")
        events.filter(next_action__isnull=False).update(next_action=None)
    sagas = Saga.objects.filter(pk__in=ids)
    clean_rows(person, sagas, "cancel_requested_by", "last_error", "review_reason")
    clean_rows(person, SagaStep.objects.filter(saga__in=ids), "detail")
    returns = Return.objects.filter(order__in=ids)
    clean_rows(person, returns, "answer")
    returns.update(reason="")  # the shopper's own words
    keys = IdempotencyKey.objects.filter(order__in=ids)
    clean_rows(person, keys, "key", "answer")
    keys.update(fingerprint=NO_BODY)
