"""One order whose step fails at every attempt, until it is in review and replayed."""

from collections.abc import Iterable
from uuid import UUID, uuid4

from apps.inventory import stock
from apps.orders.saga import review
from tools.faults.goods import HOT
from tools.faults.matrix.fault import Fault, FaultContext
from tools.faults.shoppers import buy_one

POISON = "poison@example.com"


def poison_an_order(context: FaultContext) -> None:
    """Place an order whose stock movement a trigger of the database refuses."""
    context.shop.ask(
        """
        CREATE OR REPLACE FUNCTION faults_poison() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            IF EXISTS (SELECT FROM orders_order
                       WHERE id = NEW.order_id AND email = 'poison@example.com')
            THEN RAISE EXCEPTION 'poison'; END IF;
            RETURN NEW;
        END $$
        """
    )
    context.shop.ask(
        "CREATE TRIGGER faults_poison BEFORE INSERT ON inventory_stockmovement"
        " FOR EACH ROW EXECUTE FUNCTION faults_poison()"
    )
    stock.receive(sku=HOT, quantity=5, reason="faults", actor="faults")
    url = context.shop.stack.url
    context.notes["order"] = buy_one(url, context.answers, key=uuid4().hex, email=POISON)


def poisoned_order_is_in_review(context: FaultContext) -> bool:
    """Every attempt is a real one; only the pauses between them are shortened."""
    order = context.notes["order"]
    context.shop.ask(
        "UPDATE orders_saga SET due_at = now()"
        " WHERE order_id = %s AND state = 'forward' AND lease_until IS NULL AND due_at > now()",
        order,
    )
    [(state, attempts)] = context.shop.ask(
        "SELECT state, attempts FROM orders_saga WHERE order_id = %s", order
    )
    context.notes["state"], context.notes["attempts"] = state, attempts
    return bool(state == "review")


def remove_poison_and_retry(context: FaultContext) -> None:
    context.shop.ask("DROP TRIGGER faults_poison ON inventory_stockmovement")
    if context.notes["state"] == "review":
        review.retry(UUID(context.notes["order"]), actor="faults", reason="the trigger was removed")


def poisoned_order_was_confirmed(context: FaultContext) -> Iterable[str]:
    if context.notes["state"] != "review":
        yield f"the poisoned order never came to review: {context.notes['state']}"
    [(status, captured)] = context.shop.ask(
        "SELECT o.status, p.captured_amount FROM orders_order o"
        " JOIN payments_payment p ON p.order_id = o.id AND p.live WHERE o.id = %s",
        context.notes["order"],
    )
    if status != "CONFIRMED" or not captured:
        yield f"replayed, the poisoned order is {status} with {captured} captured"


FAULTS: tuple[Fault, ...] = (
    Fault(
        name="poison-order",
        target="orders",
        action="one order's step fails whenever it is tried",
        expected="others go on; after 12 attempts it is in review; replayed, it is confirmed",
        inject=poison_an_order, heal=remove_poison_and_retry, until=poisoned_order_is_in_review,
        check=poisoned_order_was_confirmed, seconds=60, combines=False,
    ),
)  # fmt: skip
