"""The table of kept answers: claim a key, find its answer, keep one, delete old ones.

All of it in the transaction of the request's own effect, so that the two are there together or not
at all. A process that dies leaves nothing behind: PostgreSQL rolls back and ends the claim.
"""

import hashlib
from datetime import timedelta
from typing import Any

import orjson
from django.db import connection
from django.utils import timezone

from apps.api.models import KeptAnswer

# A client that has not heard for a day asks anew. Longer than any retry, short for personal data.
KEPT_FOR = timedelta(hours=24)
DELETED_AT_ONCE = 5_000


def name_of(scope: str, path: str, key: str) -> str:
    """The row's name: 64 hex digits, of whose key it is, what for, and the key.

    `path` is the address that was called. One key for two orders' cancellations is no mistake that
    could do harm, and a client that numbers its requests of each kind is served.
    """
    return hashlib.sha256(f"{scope}\n{path}\n{key}".encode()).hexdigest()


def claim(name: str) -> bool:
    """Whether this transaction may act for the key; False while another one does.

    Held until the transaction ends. It does not wait: a thread that waited for another one would
    be a thread less for shoppers.
    """
    number = int.from_bytes(bytes.fromhex(name[:16]), signed=True)
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_xact_lock(%s)", [number])
        return bool(cursor.fetchone()[0])


def find(name: str) -> KeptAnswer | None:
    """The answer kept under this name; call with the claim, or one may just be written."""
    return KeptAnswer.objects.filter(pk=name).first()


def keep(
    name: str, fingerprint: bytes, *, status: int, headers: dict[str, str], document: Any
) -> None:
    """Keep an answer; needs the claim."""
    KeptAnswer.objects.create(
        name=name,
        fingerprint=fingerprint,
        status=status,
        headers=headers,
        body=orjson.dumps(document).decode(),
    )


def delete_old() -> int:
    """Delete the answers that are older than KEPT_FOR; how many. Some at once, to lock few."""
    old = KeptAnswer.objects.filter(created_at__lt=timezone.now() - KEPT_FOR)
    deleted = 0
    while names := list(old.values_list("pk", flat=True)[:DELETED_AT_ONCE]):
        deleted += KeptAnswer.objects.filter(pk__in=names).delete()[0]
    return deleted
