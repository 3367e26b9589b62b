"""Parcels: one per order, and its state.

    LABELLED → HANDED_OVER → DELIVERED
    LABELLED → CANCELLED

There are no other transitions. Each is one conditional UPDATE, and every function here may be
called again: it then returns the present state and changes nothing. A cancelled parcel stays
cancelled; `create_labels` then returns the cancelled one, and the caller checks `state`.

`create_labels` writes in the caller's transaction. Call it in the one that also checks that the
caller still has the lease of the step: a worker that has lost it must not label a parcel that
another worker has just cancelled.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from uuid import UUID

from django.db import connection, transaction
from django.db.models.functions import Now

from apps.core import sql
from apps.shipping import carriers, rates
from apps.shipping.errors import ShipmentNotFound, WrongShipmentState
from apps.shipping.models import Shipment

# For orders whose method was deleted after they were placed: they are paid and must ship.
_SERVICE_OF_A_DELETED_METHOD = rates.Service(carrier="local", min_days=2, max_days=5)

# Order id, carrier, service, tracking number, estimated from and to.
_Row = tuple[UUID, str, str, str, date, date]
_INSERT = """
    INSERT INTO shipping_shipment
        (order_id, carrier, service, tracking_number, estimated_from, estimated_to, state)
    SELECT parcel.*, 'labelled'
    FROM unnest(%s::uuid[], %s::text[], %s::text[], %s::text[], %s::date[], %s::date[]) AS parcel
    ON CONFLICT (order_id) DO NOTHING
"""


@dataclass(frozen=True, slots=True)
class ParcelRequest:
    """An order to ship: the method that was paid for, and the address as an order keeps it."""

    order_id: UUID
    number: str
    method_code: str
    address: Mapping[str, str]


def create_labels(requests: Sequence[ParcelRequest]) -> dict[UUID, Shipment]:
    """The parcel of each order, created now or by an earlier call.

    The first label of an order stays: its estimate does not change when the step is repeated days
    later. Raises what the carrier raises; nothing is written then.
    """
    if not requests:
        return {}
    today = _today()
    rows = [
        row
        for code, of_carrier in _by_carrier(requests).items()
        for row in _labelled(carriers.by_code(code), of_carrier, today)
    ]
    # Sorted, so that two workers with overlapping batches lock in one order and cannot deadlock.
    rows.sort()
    sql.run(_INSERT, [list(column) for column in zip(*rows, strict=True)])
    return of_orders(row[0] for row in rows)


def _by_carrier(requests: Sequence[ParcelRequest]) -> dict[str, list[carriers.LabelRequest]]:
    by_carrier: dict[str, list[carriers.LabelRequest]] = defaultdict(list)
    for request in requests:
        service = rates.service(request.method_code) or _SERVICE_OF_A_DELETED_METHOD
        by_carrier[service.carrier].append(
            carriers.LabelRequest(
                order_id=request.order_id,
                number=request.number,
                service=request.method_code,
                min_days=service.min_days,
                max_days=service.max_days,
                address=request.address,
            )
        )
    return by_carrier


def _labelled(
    carrier: carriers.Carrier, requests: Sequence[carriers.LabelRequest], today: date
) -> list[_Row]:
    """The rows of `_INSERT` for the parcels of one carrier."""
    labels = carrier.labels(requests, today=today)
    rows = []
    for request in requests:
        label = labels[request.order_id]
        estimate = (label.estimated_from, label.estimated_to)
        rows.append(
            (request.order_id, carrier.code, request.service, label.tracking_number, *estimate)
        )
    return rows


def cancel(order_ids: Iterable[UUID]) -> set[UUID]:
    """Cancel parcels that have not left. Returns the orders of which no parcel will leave.

    These were cancelled now, cancelled before, or never labelled. An order that is missing from the
    result was handed over; only a return brings its units back.
    """
    wanted = set(order_ids)
    # By order id, like create_labels: sorted locks, no deadlock between two batches.
    with transaction.atomic():
        labelled = (
            Shipment.objects.select_for_update()
            .filter(order_id__in=wanted, state=Shipment.State.LABELLED)
            .order_by("order_id")
            .values_list("pk", flat=True)
        )
        Shipment.objects.filter(pk__in=list(labelled)).update(state=Shipment.State.CANCELLED)
    shipments = of_orders(wanted)
    to_void: dict[str, list[str]] = defaultdict(list)
    on_its_way = set()
    for shipment in shipments.values():
        if shipment.state == Shipment.State.CANCELLED:
            to_void[shipment.carrier].append(shipment.tracking_number)
        else:
            on_its_way.add(shipment.order_id)
    # Also for those cancelled before: an earlier run may have died before it called the carrier.
    for code, tracking_numbers in to_void.items():
        carriers.by_code(code).void(tracking_numbers)
    return wanted - on_its_way


def hand_over(order_id: UUID) -> Shipment:
    """Record that the carrier has the parcel. Raises `WrongShipmentState` if it was cancelled."""
    Shipment.objects.filter(order_id=order_id, state=Shipment.State.LABELLED).update(
        state=Shipment.State.HANDED_OVER, handed_over_at=Now()
    )
    return _reached(order_id, Shipment.State.HANDED_OVER, Shipment.State.DELIVERED)


def deliver(order_id: UUID) -> Shipment:
    """Record that the parcel has arrived. Raises `WrongShipmentState` if it was not handed over."""
    Shipment.objects.filter(order_id=order_id, state=Shipment.State.HANDED_OVER).update(
        state=Shipment.State.DELIVERED, delivered_at=Now()
    )
    return _reached(order_id, Shipment.State.DELIVERED)


def of_orders(order_ids: Iterable[UUID]) -> dict[UUID, Shipment]:
    """The parcels of these orders by order id; orders without one are absent."""
    shipments = Shipment.objects.filter(order_id__in=set(order_ids))
    return {shipment.order_id: shipment for shipment in shipments}


def _reached(order_id: UUID, *states: Shipment.State) -> Shipment:
    """The order's parcel, if it is in one of `states`."""
    shipment = Shipment.objects.filter(order_id=order_id).first()
    if shipment is None:
        raise ShipmentNotFound(order_id)
    if shipment.state not in states:
        raise WrongShipmentState(order_id, shipment.state)
    return shipment


def _today() -> date:
    """Today in UTC, by the database's clock: a worker's may be wrong."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT (now() AT TIME ZONE 'UTC')::date")
        (today,) = cursor.fetchone()
    return today
