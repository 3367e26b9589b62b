"""The invariants of the shop, each a query that returns no row when it holds.

Safety must hold at every instant, also in the middle of a flash sale; liveness (marked) once
trouble has healed and things had their time. All queries read one REPEATABLE READ snapshot, so that
a purchase in progress is seen whole or not at all.
"""

import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.db import connection, transaction
from django.utils import timezone

from apps.orders.models import Order
from apps.payments.gateway import Gateway, Intent, IntentStatus
from apps.payments.models import REFUND_ATTEMPTS_MAX, Discrepancy, Payment
from apps.payments.reconciler import discrepancies
from apps.payments.reconciler.comparing import OF_REFUNDS
from apps.payments.reconciler.looks import still_as_left, still_unknown_as_left

SHOWN = 20  # violations named per invariant
GRACE = timedelta(minutes=2)
NO_TIME = timedelta(0)
Kind = Discrepancy.Kind
GIVEN_UP = (Payment.Status.VOIDED, Payment.Status.REFUNDED)


@dataclass(frozen=True, slots=True)
class Invariant:
    """`query` selects (what, detail) rows, one per violation."""

    number: int
    name: str
    query: str
    liveness: bool = False


@dataclass(frozen=True, slots=True)
class Finding:
    """How one invariant fares: violated by `violations` (some of them in words), or not.

    `left_be` does not hold either, and somebody has decided that it stays as it is.
    """

    number: int
    name: str
    liveness: bool
    violations: int
    examples: tuple[str, ...]
    left_be: tuple[str, ...] = ()

    @property
    def holds(self) -> bool:
        return self.violations == 0


@dataclass(frozen=True, slots=True)
class Difference:
    """One thing that does not match the gateway's books, and the discrepancies that tell of it.

    `subject` is theirs. `intent` is the gateway's payment; when it shows none, `payment` is ours.
    """

    words: str
    kinds: tuple[str, ...]
    subject: str
    intent: Intent | None = None
    payment: Payment | None = None


INVARIANTS = (
    Invariant(1, "on_hand equals the ledger", """
        SELECT 'stock item ' || s.id,
               s.on_hand || ' on hand, ledger says ' || coalesce(sum(m.quantity), 0)
        FROM inventory_stockitem s LEFT JOIN inventory_stockmovement m ON m.stock_item_id = s.id
        GROUP BY s.id HAVING s.on_hand <> coalesce(sum(m.quantity), 0)
    """),
    Invariant(2, "reserved equals the active holds, each of an order", """
        SELECT 'stock item ' || s.id,
               s.reserved || ' reserved, holds say ' || coalesce(sum(h.quantity), 0)
        FROM inventory_stockitem s
        LEFT JOIN inventory_hold h ON h.stock_item_id = s.id AND h.state = 'active'
        GROUP BY s.id HAVING s.reserved <> coalesce(sum(h.quantity), 0)
        UNION ALL
        SELECT 'hold ' || h.id, h.state || ', for order ' || h.order_id || ' that is not there'
        FROM inventory_hold h
        WHERE NOT EXISTS (SELECT FROM orders_order o WHERE o.id = h.order_id)
    """),
    Invariant(3, "0 ≤ reserved ≤ on_hand", """
        SELECT 'stock item ' || id, reserved || ' of ' || on_hand FROM inventory_stockitem
        WHERE reserved < 0 OR reserved > on_hand
    """),
    # One payment per order (UNIQUE), taken whole or not at all: what is kept of it is then the
    # total, nothing, or the total less the refunds that our rows tell of.
    Invariant(4, "what is kept is the total, nothing, or the total less its refunds", """
        SELECT 'order ' || p.order_id,
               p.captured_amount || ' captured, ' || p.refunded_amount || ' refunded of '
               || coalesce(o.total_amount, p.amount) || ', refund rows say '
               || coalesce(r.settled, 0) || coalesce(' and ' || r.asked || ' asked for', '')
        FROM payments_payment p
        LEFT JOIN (SELECT payment_id, sum(amount) FILTER (WHERE status = 'succeeded') AS settled,
                          sum(amount) FILTER (WHERE status = 'requested') AS asked
                   FROM payments_refund WHERE status <> 'failed' GROUP BY payment_id) r
               ON r.payment_id = p.id
        LEFT JOIN orders_order o ON o.id = p.order_id
        WHERE p.refunded_amount <> coalesce(r.settled, 0)
           OR p.captured_amount NOT IN (0, p.amount) OR p.amount <> o.total_amount
           OR p.captured_amount - p.refunded_amount NOT IN
              (0, p.amount, p.amount - coalesce(r.settled, 0))
           OR coalesce(r.settled, 0) + coalesce(r.asked, 0) > p.captured_amount
           OR p.refunded_amount > p.captured_amount
           OR (p.status = 'refunded') <> (p.captured_amount > 0
                                          AND p.refunded_amount = p.captured_amount)
    """),
    Invariant(6, "promo counters equal the live redemptions, within the limits", """
        SELECT 'promo ' || p.code, p.used || ' counted, ' || count(r.id) || ' live'
        FROM promos_promo p LEFT JOIN promos_redemption r ON r.promo_id = p.id AND r.live
        GROUP BY p.id HAVING p.used <> count(r.id) OR count(r.id) > p.total_limit
        UNION ALL
        SELECT 'promo ' || p.code, r.customer_key || ' used it ' || count(*) || ' times'
        FROM promos_promo p JOIN promos_redemption r ON r.promo_id = p.id AND r.live
        WHERE p.customer_limit IS NOT NULL
        GROUP BY p.id, r.customer_key HAVING count(*) > p.customer_limit
        UNION ALL
        SELECT 'redemption ' || r.id, 'for order ' || r.order_id || ' that is not there'
        FROM promos_redemption r
        WHERE NOT EXISTS (SELECT FROM orders_order o WHERE o.id = r.order_id)
    """),
    Invariant(7, "every order has one key, one saga, one payment", """
        SELECT 'order ' || o.number,
               concat_ws(', ', CASE WHEN k.id IS NULL THEN 'no key' END,
                         CASE WHEN s.order_id IS NULL THEN 'no saga' END,
                         CASE WHEN p.id IS NULL THEN 'no payment' END)
        FROM orders_order o LEFT JOIN orders_idempotencykey k ON k.order_id = o.id
        LEFT JOIN orders_saga s ON s.order_id = o.id
        LEFT JOIN payments_payment p ON p.order_id = o.id
        WHERE k.id IS NULL OR s.order_id IS NULL OR p.id IS NULL
        UNION ALL
        SELECT 'payment ' || p.id, p.status || ', for order ' || p.order_id || ' that is not there'
        FROM payments_payment p
        WHERE NOT EXISTS (SELECT FROM orders_order o WHERE o.id = p.order_id)
    """),
    Invariant(8, "nothing stays open past its time", """
        SELECT 'order ' || o.number,
               concat_ws(', ', s.state || ' at ' || s.step, 'due ' || s.due_at, s.last_error)
        FROM orders_saga s JOIN orders_order o ON o.id = s.order_id
        WHERE s.state IN ('forward', 'undoing')
          AND (s.due_at IS NULL
               OR (s.due_at < now() - %(grace)s AND s.updated_at < now() - %(grace)s)
               OR (s.deadline_at < now() - %(grace)s AND s.step = 'authorize_payment'
                   AND s.state = 'forward'))
        UNION ALL
        SELECT 'hold ' || h.id, 'expired ' || h.expires_at
        FROM inventory_hold h LEFT JOIN orders_saga s ON s.order_id = h.order_id
        WHERE h.state = 'active' AND h.expires_at < now() - %(grace)s
          AND coalesce(s.state, '') <> 'review'
    """, liveness=True),
    Invariant(9, "confirmed means paid and sold; cancelled means nothing is kept", """
        SELECT 'order ' || o.number,
               o.status || ' with payment ' || p.status || ' and hold ' || h.state
        FROM orders_order o JOIN payments_payment p ON p.order_id = o.id
        JOIN inventory_hold h ON h.order_id = o.id JOIN orders_saga s ON s.order_id = o.id
        WHERE o.status IN ('CONFIRMED', 'SHIPPED', 'DELIVERED', 'RETURN_INITIATED', 'RETURNED')
          AND s.state <> 'undoing' AND s.state <> 'review'
          AND (p.status NOT IN ('captured', 'refunded') OR h.state <> 'confirmed')
        UNION ALL
        SELECT 'order ' || o.number, 'CANCELLED, but hold ' || h.state
        FROM orders_order o JOIN inventory_hold h ON h.order_id = o.id
        WHERE o.status = 'CANCELLED' AND h.state NOT IN ('released', 'restocked')
        UNION ALL
        SELECT 'order ' || o.number, 'CANCELLED, but payment ' || p.status || ' keeps '
               || p.captured_amount - p.refunded_amount
        FROM orders_order o JOIN payments_payment p ON p.order_id = o.id
        WHERE o.status = 'CANCELLED'
          AND (p.captured_amount <> p.refunded_amount OR p.status NOT IN ('voided', 'refunded'))
        UNION ALL
        SELECT 'order ' || o.number, 'CANCELLED, but its promo is still redeemed'
        FROM orders_order o JOIN promos_redemption r ON r.order_id = o.id
        WHERE o.status = 'CANCELLED' AND r.live
        UNION ALL
        SELECT 'order ' || o.number, 'not confirmed, but payment ' || p.status
        FROM orders_order o JOIN payments_payment p ON p.order_id = o.id
        JOIN orders_saga s ON s.order_id = o.id
        WHERE o.status IN ('PENDING', 'REQUIRES_ACTION', 'PAYMENT_AUTHORIZED', 'PAYMENT_FAILED')
          AND p.captured_amount > 0 AND s.state = 'done'
        UNION ALL
        SELECT 'order ' || o.number, o.status || ', but its saga is ' || s.state
        FROM orders_saga s JOIN orders_order o ON o.id = s.order_id
        WHERE s.state IN ('done', 'undone')
          AND o.status IN ('PENDING', 'REQUIRES_ACTION', 'PAYMENT_AUTHORIZED', 'PAYMENT_FAILED')
    """),
    Invariant(10, "every step is completed at most once per direction", """
        SELECT 'order ' || saga_id, step || ' ' || direction || ' done ' || count(*) || ' times'
        FROM orders_sagastep WHERE outcome = 'done'
        GROUP BY saga_id, step, direction HAVING count(*) > 1
        UNION ALL
        SELECT 'order ' || l.saga_id, 'log has epoch ' || max(l.epoch) || ', saga ' || s.epoch
        FROM orders_sagastep l JOIN orders_saga s ON s.order_id = l.saga_id
        GROUP BY l.saga_id, s.epoch HAVING max(l.epoch) > s.epoch
        UNION ALL
        SELECT 'order ' || saga_id, 'epoch fell from ' || before || ' to ' || epoch
        FROM (SELECT saga_id, epoch, lag(epoch) OVER (PARTITION BY saga_id ORDER BY id) AS before
              FROM orders_sagastep) steps WHERE epoch < before
        UNION ALL
        SELECT 'order ' || o.number, 'seq ' || o.seq || ' with ' || count(e.id) || ' events'
        FROM orders_order o LEFT JOIN orders_orderevent e ON e.order_id = o.id
        GROUP BY o.id HAVING o.seq <> count(e.id) OR max(e.seq) <> o.seq
    """),
    Invariant(11, "mail goes out and webhooks are applied in time", """
        SELECT 'mail ' || id, kind || ' due ' || due_at FROM notifications_notification
        WHERE state = 'due' AND due_at < now() - %(grace)s
        UNION ALL
        SELECT 'event ' || event_id, type || ' due ' || due_at FROM payments_webhookinbox
        WHERE state = 'received' AND due_at < now() - %(grace)s
        UNION ALL
        SELECT 'refund ' || id, 'requested, due ' || due_at FROM payments_refund
        WHERE status = 'requested' AND purpose NOT LIKE 'cancellation%%'
          AND attempts < %(refund_attempts)s AND due_at < now() - %(grace)s
    """, liveness=True),
    Invariant(13, "totals add up and none is negative", """
        SELECT 'order ' || o.number,
               o.total_amount || ' total, lines ' || coalesce(sum(l.line_amount), 0)
        FROM orders_order o LEFT JOIN orders_orderline l ON l.order_id = o.id GROUP BY o.id
        HAVING o.subtotal_amount <> coalesce(sum(l.line_amount), 0)
            OR o.total_amount <> o.subtotal_amount - o.discount_amount
               + o.shipping_amount + o.tax_amount
            OR least(o.total_amount, o.subtotal_amount, o.discount_amount,
                     o.shipping_amount, o.tax_amount) < 0
    """),
    Invariant(14, "every dead letter is open, or resolved by somebody for a reason", """
        SELECT 'mail ' || id, 'resolved without actor or reason' FROM notifications_notification
        WHERE resolved_at IS NOT NULL AND (resolved_by = '' OR resolution = '')
        UNION ALL
        SELECT 'event ' || event_id, 'resolved without actor or reason' FROM payments_webhookinbox
        WHERE resolved_at IS NOT NULL AND (resolved_by = '' OR resolution = '')
        UNION ALL
        SELECT 'refund ' || id, 'resolved without actor or reason' FROM payments_refund
        WHERE resolved_at IS NOT NULL AND (resolved_by = '' OR resolution = '')
        UNION ALL
        SELECT 'event ' || event_id, 'mirror given up by nobody' FROM payments_webhookinbox w
        WHERE mirror_resolved_at IS NOT NULL
          AND NOT EXISTS (SELECT FROM desk_decision d
                          WHERE d.kind = 'mirror' AND d.subject = w.event_id)
        UNION ALL
        SELECT 'discrepancy ' || id, 'resolved without actor or reason' FROM payments_discrepancy
        WHERE state = 'resolved' AND (resolved_by = '' OR resolution = '' OR resolved_at IS NULL)
        UNION ALL
        SELECT kind || ' ' || subject, 'decided without actor or reason' FROM desk_decision
        WHERE actor = '' OR reason = ''
        UNION ALL
        SELECT 'order ' || order_id, 'in review without a reason' FROM orders_saga
        WHERE state = 'review' AND review_reason = ''
    """),
)  # fmt: skip


def check(*, liveness: bool = True) -> Iterator[Finding]:
    """Check the invariants that our own tables can answer, in one snapshot."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        for invariant in INVARIANTS:
            if invariant.liveness and not liveness:
                continue
            cursor.execute(
                invariant.query, {"grace": GRACE, "refund_attempts": REFUND_ATTEMPTS_MAX}
            )
            rows = cursor.fetchall()
            yield Finding(
                invariant.number,
                invariant.name,
                invariant.liveness,
                len(rows),
                tuple(f"{what}: {detail}" for what, detail in rows[:SHOWN]),
            )


def check_gateway(
    gateway: Gateway,
    *,
    since: timedelta = timedelta(days=2),
    second_look_after: timedelta = timedelta(seconds=2),
) -> Finding:
    """Invariant 5: what the gateway took and what our books say match one to one.

    Compares the payments of the time since `since`. Money moves while we compare, and an answer may
    be on its way: what does not match is looked at once more a little later, on both sides. What
    a person has decided to leave as it is, and still is so, does not count.
    """
    after = timezone.now() - since
    ours = Payment.objects.filter(created_at__gte=after - timedelta(minutes=5)).in_bulk()
    wrong: list[Difference] = []
    charged: set[UUID] = set()
    shown: dict[UUID, Intent] = {}
    doubtful: list[tuple[Payment, str]] = []
    for intent in gateway.list_intents(created_after=after):
        payment = ours.get(_uuid(intent.payment_id)) or _payment_of(intent)
        if payment is None:
            if intent.amount_received > intent.amount_refunded:
                words = f"{intent.id}: {intent.amount_received} taken for no payment of ours"
                wrong.append(Difference(words, (Kind.NO_PAYMENT,), intent.id, intent))
            continue
        second = f"{intent.id}: a second charge for payment {payment.pk}"
        if payment.intent_id not in (None, intent.id):
            if intent.amount_received > intent.amount_refunded:
                wrong.append(Difference(second, (Kind.SECOND_CHARGE,), intent.id, intent))
            continue
        if intent.amount_received > 0 and payment.pk in charged:
            wrong.append(Difference(second, (Kind.SECOND_CHARGE,), intent.id, intent))
        shown[payment.pk] = intent
        if intent.amount_received > 0:
            charged.add(payment.pk)
        if _differences(payment, intent):
            doubtful.append((payment, intent.id))
    if doubtful:
        time.sleep(second_look_after.total_seconds())
    for payment, intent_id in doubtful:
        payment.refresh_from_db()
        wrong += _differences(payment, gateway.retrieve(intent_id))
    wrong += [
        _unknown_there(payment, shown.get(payment.pk))
        for payment in ours.values()
        if payment.captured_amount > 0 and payment.pk not in charged and payment.created_at > after
    ]
    broken, left_be = _what_counts(gateway, wrong)
    return Finding(
        5,
        "the gateway's charges match our payments",
        False,
        len(broken),
        tuple(broken[:SHOWN]),
        tuple(left_be),
    )


def _what_counts(gateway: Gateway, wrong: list[Difference]) -> tuple[list[str], list[str]]:
    """In words: what nobody has decided about, and what somebody left as it is.

    A decision is good for the form in which it was taken: in any other it counts again, and at
    once, whether the reconciler has opened it again or not.
    """
    decided = discrepancies.left_be(difference.subject for difference in wrong)
    known: dict[str, Mapping[str, Discrepancy]] = {}
    broken, left_be = [], []
    for difference in wrong:
        rows: Mapping[str, Discrepancy] = decided.get(difference.subject, {})
        if rows and difference.intent is not None:
            if difference.subject not in known:
                known[difference.subject] = still_as_left(gateway, difference.intent, rows)
            rows = known[difference.subject]
        elif rows and difference.payment is not None:
            rows = still_unknown_as_left(difference.payment, rows)
        row = next((rows[kind] for kind in difference.kinds if kind in rows), None)
        if row is None:
            broken.append(difference.words)
        else:
            left_be.append(f"{difference.words} (by {row.resolved_by}: {row.resolution})")
    return broken, left_be


def _unknown_there(payment: Payment, intent: Intent | None) -> Difference:
    words = f"payment {payment.pk}: captured here, unknown to the gateway"
    if intent is not None:  # known, and nothing was taken
        kinds = (Kind.OTHER_CAPTURE, Kind.CANCELLED_THERE, Kind.OTHER_TERMS)
        return Difference(words, kinds, intent.id, intent)
    return Difference(words, (Kind.UNKNOWN_THERE,), str(payment.intent_id), payment=payment)


def _payment_of(intent: Intent) -> Payment | None:
    """A payment that was made after the comparison began."""
    payment_id = _uuid(intent.payment_id)
    return Payment.objects.filter(pk=payment_id).first() if payment_id else None


def check_accepted(order_ids: Iterable[UUID]) -> Finding:
    """Invariant 12: every order in a client's log of 2xx answers exists."""
    wanted = set(order_ids)
    found = set(Order.objects.filter(pk__in=wanted).values_list("pk", flat=True))
    lost = [f"order {order_id} was accepted and is not there" for order_id in wanted - found]
    return Finding(12, "every accepted order exists", False, len(lost), tuple(lost[:SHOWN]))


def _differences(payment: Payment, intent: Intent) -> list[Difference]:
    wrong: list[Difference] = []

    def add(words: str, *kinds: Kind) -> None:
        wrong.append(Difference(f"{intent.id}: {words}", kinds, intent.id, intent))

    # What was decided about these two shows the whole of both sides.
    whole = (Kind.OTHER_TERMS, Kind.GIVEN_UP)
    if (intent.amount, intent.currency) != (payment.amount, payment.currency):
        add(f"over {intent.amount} {intent.currency}, ours {payment}", Kind.OTHER_TERMS)
    if intent.amount_received != payment.captured_amount and intent.amount_received > 0:
        words = f"{intent.amount_received} taken, ours {payment.captured_amount}"
        add(words, Kind.OTHER_CAPTURE, *whole)
    if intent.amount_refunded != payment.refunded_amount:
        words = f"{intent.amount_refunded} refunded, ours {payment.refunded_amount}"
        add(words, *OF_REFUNDS, Kind.OTHER_TERMS)
    if intent.status == IntentStatus.CANCELED and payment.status == Payment.Status.CAPTURED:
        add("cancelled there, captured here", Kind.CANCELLED_THERE, Kind.OTHER_TERMS)
    if intent.status == IntentStatus.REQUIRES_CAPTURE and payment.status in GIVEN_UP:
        add(f"still reserved there, {payment.status} here", *whole)
    return wrong


def _uuid(value: Any) -> Any:
    try:
        return UUID(value) if value else None
    except ValueError:
        return None
