"""Whether this process may move money: not when it works on a copy of the shop's database.

A restored backup or a staging shop has the shop's payments and, often, its keys. Its reconciler
would return payments that it does not know, its sagas would void those that it thinks have lapsed,
its preparation would take the shop's webhook endpoint away. So a database knows where it stands:
server, name and address, and the shop's own address (KnownDatabase). One that finds itself
elsewhere is a copy, and so is one whose address another database has registered at the gateway.
Towards the gateway a copy only reads, until an operator says that it is the shop now
(`manage.py confirm_database`). GATEWAY_READONLY=1 has the same effect for any database.

With the sandbox there is no money, and nothing is asked.

What it cannot tell: a copy of the whole server that answers at the very same address with the same
SHOP_URL, such as a volume that was restored into the same network name elsewhere, or the shop's own
database set back to an earlier moment. Then GATEWAY_READONLY has to be set by hand.
"""

import hashlib
import threading
import time
from dataclasses import dataclass
from uuid import UUID, uuid4

from django.conf import settings
from django.db import DatabaseError, connection
from django.db.models.functions import Now

from apps.payments.models import KnownDatabase

LOOK_EVERY = 5.0  # seconds in which a process relies on what it saw

# The identifier of the server's data, made by initdb. A replica that is promoted keeps it.
MAY_READ_SERVER = "SELECT has_function_privilege('pg_control_system()', 'execute')"
SERVER = "SELECT system_identifier::text FROM pg_control_system()"
DATABASE = "SELECT oid::text, datname FROM pg_database WHERE datname = current_database()"


@dataclass(frozen=True, slots=True)
class Place:
    """Where a database stands: a digest to compare, and words for people."""

    digest: str
    name: str


def place_now() -> Place:
    """Where the database of this process stands."""
    with connection.cursor() as cursor:
        cursor.execute(MAY_READ_SERVER)
        server = ""
        if cursor.fetchone()[0]:
            cursor.execute(SERVER)
            server = cursor.fetchone()[0]
        cursor.execute(DATABASE)
        oid, name = cursor.fetchone()
    asked = connection.settings_dict
    address = f"{asked['HOST'] or 'localhost'}:{asked['PORT'] or 5432}"
    parts = (server, oid, name, address, settings.SHOP_URL)
    digest = hashlib.sha256("\n".join(parts).encode()).hexdigest()
    return Place(digest, f"{name} at {address} for {settings.SHOP_URL}"[:255])


def known() -> KnownDatabase:
    """The row. Its place is that of the first time that there was money to ask for.

    A shop that was tried with the sandbox has no place yet, and may get its address and its keys
    afterwards.
    """
    row = KnownDatabase.objects.first()
    if row is None:
        KnownDatabase.objects.bulk_create([KnownDatabase()], ignore_conflicts=True)
        row = KnownDatabase.objects.get()
    if not row.place and settings.GATEWAY_ASKS_WHICH_DATABASE:
        here = place_now()
        KnownDatabase.objects.filter(place="").update(place=here.digest, place_name=here.name)
        row.refresh_from_db()
    return row


def other_database_claims(endpoint: str) -> None:
    """Remember that the gateway has this shop's address for another database."""
    KnownDatabase.objects.update(other_claims=endpoint[:255])
    look_again()


def confirm(*, actor: str) -> UUID:
    """This database is the shop's from now on; its new identity.

    The new identity is what tells the database that it was copied from that it is not, any more.
    """
    here = place_now()
    known()
    identity = uuid4()
    KnownDatabase.objects.update(
        identity=identity,
        place=here.digest,
        place_name=here.name,
        other_claims="",
        confirmed_at=Now(),
        confirmed_by=actor[:254],
    )
    look_again()
    return identity


class _Look:
    """What this process saw last. One thread looks, the others go on with what is known."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.until = 0.0
        self.why: str | None = None


_look = _Look()


def look_again() -> None:
    """Forget what this process saw."""
    _look.until, _look.why = 0.0, None


def why_readonly() -> str:
    """Why nothing may be changed at the gateway, in words for an operator; "" when it may."""
    if settings.GATEWAY_READONLY:
        return "GATEWAY_READONLY is set"
    if not settings.GATEWAY_ASKS_WHICH_DATABASE:
        return ""
    if _look.why is None or time.monotonic() > _look.until:
        with _look.lock:
            if _look.why is None or time.monotonic() > _look.until:
                _look.why = _seen(_look.why)
                _look.until = time.monotonic() + LOOK_EVERY
    return _look.why


def _seen(before: str | None) -> str:
    # Threads that call the gateway have no connection of their own, and are not to keep one.
    borrowed = connection.connection is None
    try:
        row = known()
        here = place_now()
    except DatabaseError as trouble:
        return f"it is not known which database this is: {trouble}" if before is None else before
    finally:
        if borrowed:
            connection.close()
    if row.place != here.digest:
        return f"this is a copy: {here.name}; the shop's database is {row.place_name}"
    if row.other_claims:
        return f"another database has registered this address at the gateway: {row.other_claims}"
    return ""
