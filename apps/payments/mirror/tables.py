"""dj-stripe's tables, written many rows at a time.

`sync_from_stripe_data` writes one object with some twenty statements and reads each object that it
refers to. Here a kind of object is one statement: its rows travel as one JSON document, and what
they refer to is looked up inside it. The columns and their values come from dj-stripe's own fields.
"""

from collections.abc import Sequence
from datetime import datetime
from functools import cache
from typing import Any

import orjson
from django.db import connection
from django.db.models import CharField, Field, ForeignKey, Model, TextField
from djstripe.models import BalanceTransaction, Charge, PaymentIntent, PaymentMethod, Refund

from apps.core import sql
from apps.payments.mirror.reading import Object, Shown

OWN = ("djstripe_created", "djstripe_updated")


def write(shown: Shown, *, account: str | None, read_at: datetime) -> None:
    """Insert or update every object of `shown`.

    `account` is the id of the Stripe account that owns them, a row of dj-stripe's, or None.
    `read_at` is a moment before they were read: a row that was read later is left as it is.
    """
    # In the order in which they refer to each other, which is the same for every worker.
    upsert(PaymentMethod, shown.payment_methods, account=account, read_at=read_at)
    upsert(BalanceTransaction, shown.balance_transactions, account=account, read_at=read_at)
    upsert(PaymentIntent, shown.intents, account=account, read_at=read_at)
    upsert(Charge, shown.charges, account=account, read_at=read_at)
    upsert(Refund, shown.refunds, account=account, read_at=read_at)


def upsert(
    model: type[Model], objects: Sequence[Object], *, account: str | None, read_at: datetime
) -> int:
    """Insert or update these objects of one kind; how many rows were written."""
    if not objects:
        return 0
    by_id = {shown["id"]: shown for shown in objects}
    fields = _fields(model)
    rows = [
        {field.column: _value(field, shown) for field in fields}
        | {"djstripe_owner_account_id": account}
        | dict.fromkeys(OWN, read_at)
        for shown in by_id.values()
    ]
    document = orjson.dumps(rows, default=str).decode()  # str: of a Decimal
    return sql.run(_statement(model), [document])


@cache
def _fields(model: type[Model]) -> tuple[Field, ...]:
    """The fields that an object of Stripe's has a value for."""
    return tuple(f for f in model._meta.concrete_fields if not f.name.startswith("djstripe_"))


def _value(field: Field, shown: Object) -> Any:
    """What dj-stripe would store, from StripeModel._stripe_object_to_record."""
    if field.name == "stripe_data":
        return shown
    if hasattr(field, "stripe_to_db"):
        return field.stripe_to_db(shown)
    value = shown.get(field.name)
    if isinstance(field, ForeignKey):
        return value["id"] if isinstance(value, dict) else value
    if value is None and isinstance(field, (CharField, TextField)):
        return ""
    return value


@cache
def _statement(model: type[Model]) -> str:
    """INSERT … ON CONFLICT for a JSON document of rows.

    A reference to an object that is not in its table becomes NULL: other systems may use the
    account, too, and their customers and invoices are not copied.
    """
    meta = model._meta
    fields = [field for field in meta.concrete_fields if not field.primary_key]
    columns = [str(field.column) for field in fields]
    typed = ", ".join(f"{field.column} {field.db_type(connection)}" for field in fields)
    values = ", ".join(_reference(field) or f"n.{field.column}" for field in fields)
    changes = ", ".join(
        f"{column} = excluded.{column}"
        for column in columns
        if column not in ("id", "djstripe_created")
    )
    return (
        f"INSERT INTO {meta.db_table} AS kept ({', '.join(columns)})"  # noqa: S608  from models
        f" SELECT {values} FROM json_to_recordset(%s::json) AS n({typed}) ORDER BY n.id"
        f" ON CONFLICT (id) DO UPDATE SET {changes}"
        " WHERE kept.djstripe_updated <= excluded.djstripe_updated"
    )


def _reference(field: Field) -> str | None:
    if not isinstance(field, ForeignKey):
        return None
    if field.name == "djstripe_owner_account":
        return f"n.{field.column}"
    target = field.related_model._meta.db_table
    key = field.target_field.column
    return f"(SELECT r.{key} FROM {target} r WHERE r.{key} = n.{field.column})"  # noqa: S608
