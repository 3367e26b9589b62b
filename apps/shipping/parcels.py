"""One parcel per order, and where it is.

    LABELLED → HANDED_OVER → DELIVERED
    LABELLED → CANCELLED

A parcel only moves along these arrows, each by one conditional UPDATE, and every verb here may be
called again: it then answers with what is, and changes nothing. A cancelled parcel stays cancelled;
a label asked for after that answers with the cancelled one, for the caller to look at `state`.

`create_labels` writes in the caller's transaction. Call it in the one that also proves that the
step is still yours: a worker that lost its lease must not label what another has just undone.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from uuid import UUID

from django.db import connection, transaction
from django.db.models.functions import Now

from apps.shipping import carriers, rates
from apps.shipping.errors import ShipmentNotFound, WrongShipmentState
from apps.shipping.models import Shipment
from storefront import prepared

# An order whose method was deleted since is paid for all the same.
_SERVICE_OF_A_DELETED_METHOD = rates.Service(carrier="local", min_days=2, max_days=5)

_INSERT = """
    INSERT INTO shipping_shipment
        (order_id, carrier, service, tracking_number, estimated_from, estimated_to, state)
    SELECT parcel.*, 'labelled'
    FROM unnest(%s::uuid[], %s::text[], %s::text[], %s::text[], %s::date[], %s::date[]) AS parcel
    ON CONFLICT (order_id) DO NOTHING
"""


@dataclass(frozen=True, slots=True)
class ParcelRequest:
    """An order ready to leave: its id and number, the method paid for, where it goes."""

    order_id: UUID
    number: str
    method_code: str
    address: Mapping[str, str]


def create_labels(requests: Sequence[ParcelRequest]) -> dict[UUID, Shipment]:
    """A labelled parcel for each order, whether made now or on an earlier try.

    The first label of an order stands: its estimate does not move when the step is repeated days
    later. Raises whatever the carrier raises; nothing is written then.
    """
    if not requests:
        return {}
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
    today = _today()
    rows: list[tuple[UUID, str, str, str, date, date]] = []
    for code, of_carrier in by_carrier.items():
        carrier = carriers.by_code(code)
        labels = carrier.labels(of_carrier, today=today)
        for asked in of_carrier:
            label = labels[asked.order_id]
            rows.append(
                (
                    asked.order_id,
                    carrier.code,
                    asked.service,
                    label.tracking_number,
                    label.estimated_from,
                    label.estimated_to,
                )
            )
    # Ordered, so that two workers with overlapping batches wait for each other in one direction.
    rows.sort()
    prepared.run(_INSERT, [list(column) for column in zip(*rows, strict=True)])
    return of_orders(row[0] for row in rows)


def cancel(order_ids: Iterable[UUID]) -> set[UUID]:
    """Take back what has not left; answers the orders of which no parcel will leave.

    That is: cancelled now, cancelled before, or never labelled. An order missing from the answer
    has been handed over; only a return brings that one back.
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
    # Also for those cancelled before: the earlier run may have died before it told the carrier.
    for code, tracking_numbers in to_void.items():
        carriers.by_code(code).void(tracking_numbers)
    return wanted - on_its_way


def hand_over(order_id: UUID) -> Shipment:
    """The carrier has taken the parcel. Raises `WrongShipmentState` when it was cancelled."""
    Shipment.objects.filter(order_id=order_id, state=Shipment.State.LABELLED).update(
        state=Shipment.State.HANDED_OVER, handed_over_at=Now()
    )
    return _reached(order_id, Shipment.State.HANDED_OVER, Shipment.State.DELIVERED)


def deliver(order_id: UUID) -> Shipment:
    """The parcel has arrived. Raises `WrongShipmentState` when it never left."""
    Shipment.objects.filter(order_id=order_id, state=Shipment.State.HANDED_OVER).update(
        state=Shipment.State.DELIVERED, delivered_at=Now()
    )
    return _reached(order_id, Shipment.State.DELIVERED)


def of_orders(order_ids: Iterable[UUID]) -> dict[UUID, Shipment]:
    """The parcels of these orders, those that have one."""
    shipments = Shipment.objects.filter(order_id__in=set(order_ids))
    return {shipment.order_id: shipment for shipment in shipments}


def _reached(order_id: UUID, *states: Shipment.State) -> Shipment:
    """The order's parcel, if it is where the caller wanted it, or beyond."""
    shipment = Shipment.objects.filter(order_id=order_id).first()
    if shipment is None:
        raise ShipmentNotFound(order_id)
    if shipment.state not in states:
        raise WrongShipmentState(order_id, shipment.state)
    return shipment


def _today() -> date:
    """Today by the database's clock: a worker's may be wrong (UTC)."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT (now() AT TIME ZONE 'UTC')::date")
        (today,) = cursor.fetchone()
    return today
