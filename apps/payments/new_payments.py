"""The payments of new orders: one row an order, written in the statement that writes the orders."""

from uuid import UUID

from uuid_utils.compat import uuid7

from apps.core.batch_insert import BatchInsert

# Of the order's own fields it reads `id`, `number`, `total` (minor units), `currency`, `email`, the
# two addresses and `shipping_method` (empty where nothing is shipped); `details` is what
# order_details.py reads.
INSERT = BatchInsert(
    columns="payment_id uuid, payment_method text, return_url text",
    insert="""
        INSERT INTO payments_payment (
            id, order_id, status, amount, captured_amount, refunded_amount, currency,
            payment_method, return_url, next_action_url, decline_code, message, generation,
            details)
        SELECT payment_id, id, 'created', total, 0, 0, currency, payment_method, return_url,
               '', '', '', 1,
               jsonb_build_object(
                   'number', number,
                   'email', email,
                   'billing_name', coalesce(billing_address->>'name', shipping_address->>'name'),
                   'shipping', CASE WHEN shipping_method <> '' THEN shipping_address END)
        FROM batch
    """,
)


def fields(*, payment_method: str, return_url: str) -> dict[str, str | UUID]:
    """What an order's row in the batch needs for `INSERT`.

    `payment_method` is the gateway's token; `return_url` is where the bank sends the shopper back.
    """
    return {
        "payment_id": uuid7(),
        "payment_method": payment_method,
        "return_url": return_url,
    }
