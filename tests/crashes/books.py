"""All records of one order, and what they must be for each way in which an order can end."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from apps.orders.saga.steps import CHECKOUT, undo_from

if TYPE_CHECKING:
    from tests.crashes.shop import Shop
    from tests.journeys.shopper import Placed

GOODS = (("CRASH-MUG", 1800, 2), ("CRASH-BOWL", 995, 1))  # sku, price, bought each time
DOING = [step.name for step in CHECKOUT if step.run_by == "worker"]
UNDOING = [step.name for step in CHECKOUT if step.undo is not None][::-1]


@dataclass(frozen=True, kw_only=True)
class Books:
    """All records of one order; amounts as a share of its total (0 or 1)."""

    status: str
    saga: str
    moves: tuple[str, ...]
    done: tuple[str, ...]
    at_gateway: tuple[tuple[str, float, float], ...]  # status, received, refunded: each intent
    payment: tuple[str, float, float]
    units: tuple[tuple[str, int], ...]  # movements of the ledger, by SKU as in GOODS
    holds: frozenset[str]
    promo: tuple[int, int]  # used, live redemptions
    parcels: tuple[str, ...]
    mails: tuple[str, ...]


def _did(direction: str, names: Iterable[str]) -> tuple[str, ...]:
    return tuple(f"{direction} {name}" for name in names)


def back_from(name: str) -> tuple[str, ...]:
    """The undo steps that follow when a saga begins to undo at step `name`."""
    return _did("undo", UNDOING[UNDOING.index(undo_from(name)) :])


CONFIRMED = Books(
    status="CONFIRMED",
    saga="done",
    moves=("PENDING", "PAYMENT_AUTHORIZED", "CONFIRMED"),
    done=_did("do", DOING),
    at_gateway=(("succeeded", 1, 0),),
    payment=("captured", 1, 0),
    units=tuple(("confirmed", -bought) for _, _, bought in GOODS),
    holds=frozenset({"confirmed"}),
    promo=(1, 1),
    parcels=("labelled",),
    mails=("order_confirmed",),
)
CHALLENGED = replace(CONFIRMED, moves=("PENDING", "REQUIRES_ACTION", *CONFIRMED.moves[1:]))
CALLED_OFF = Books(  # after it was confirmed
    status="CANCELLED",
    saga="undone",
    moves=(*CONFIRMED.moves, "CANCELLED"),
    done=CONFIRMED.done + back_from(DOING[-1]),
    at_gateway=(("succeeded", 1, 1),),
    payment=("refunded", 1, 1),
    units=CONFIRMED.units + tuple(("restocked", bought) for _, _, bought in GOODS),
    holds=frozenset({"restocked"}),
    promo=(0, 0),
    parcels=("cancelled",),
    mails=("order_confirmed", "order_cancelled"),
)
DECLINED = replace(
    CALLED_OFF,
    moves=("PENDING", "PAYMENT_FAILED", "CANCELLED"),
    done=back_from("authorize_payment"),
    at_gateway=(("canceled", 0, 0),),
    payment=("voided", 0, 0),
    units=(),
    holds=frozenset({"released"}),
    parcels=(),
    mails=("order_cancelled",),
)


def read_books(shop: "Shop", placed: "Placed") -> Books:
    """The present records of an order."""

    def column(query: str) -> tuple[Any, ...]:
        return tuple(found for (found,) in shop.ask(query, placed.id))

    ((status, seq, total, saga),) = shop.ask(
        "SELECT o.status, o.seq, o.total_amount, s.state FROM orders_order o"
        " JOIN orders_saga s ON s.order_id = o.id WHERE o.id = %s",
        placed.id,
    )
    moves = shop.ask(
        "SELECT seq, status FROM orders_orderevent WHERE order_id = %s ORDER BY seq", placed.id
    )
    assert [number for number, _ in moves] == list(range(1, seq + 1)), "the events have a gap"
    ((payment, captured, refunded),) = shop.ask(
        "SELECT status, captured_amount, refunded_amount FROM payments_payment WHERE order_id = %s",
        placed.id,
    )
    ((used, live),) = shop.ask(
        "SELECT p.used, count(*) FILTER (WHERE r.live) FROM promos_redemption r"
        " JOIN promos_promo p ON p.id = r.promo_id WHERE r.order_id = %s GROUP BY p.id",
        placed.id,
    )
    return Books(
        status=status,
        saga=saga,
        moves=tuple(status for _, status in moves),
        done=tuple(f"{way} {step}" for way, step, how, _ in shop.log(placed) if how == "done"),
        at_gateway=tuple(
            (i["status"], i["amount_received"] / total, i["amount_refunded"] / total)
            for i in shop.intents(placed)
        ),
        payment=(payment, captured / total, refunded / total),
        units=tuple(
            shop.ask(
                "SELECT m.kind, m.quantity FROM inventory_stockmovement m"
                " JOIN inventory_stockitem i ON i.id = m.stock_item_id"
                " JOIN catalog_variant v ON v.id = i.variant_id"
                " WHERE m.order_id = %s ORDER BY m.kind, v.sku DESC",
                placed.id,
            )
        ),
        holds=frozenset(column("SELECT state FROM inventory_hold WHERE order_id = %s")),
        promo=(used, live),
        parcels=column("SELECT state FROM shipping_shipment WHERE order_id = %s"),
        mails=column("SELECT kind FROM notifications_notification WHERE order_id = %s ORDER BY id"),
    )
