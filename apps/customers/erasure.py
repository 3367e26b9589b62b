"""Removes a person from their account, address book, tokens and sessions.

The account's row stays, empty and closed: orders and logs refer to it. Called by
apps/orders/erasure, which knows when a buyer may be erased.
"""

import json
from typing import Any

from django.contrib.sessions.backends.cached_db import SessionStore
from django.contrib.sessions.models import Session
from django.db.models import F
from rest_framework_simplejwt.token_blacklist.models import OutstandingToken

from apps.core.erased_person import ErasedPerson, is_erased
from apps.customers.mailbox import mailbox_of
from apps.customers.models import Address, User

UNUSABLE = "!"  # no password has this hash


def words_of(user: User) -> set[str]:
    """What the account and its address book say about the person."""
    said = {user.email, mailbox_of(user.email), user.name}
    for entry in Address.objects.filter(user=user):
        said |= {entry.name, entry.line1, entry.phone}
    return said


def erase_account(user: User, person: ErasedPerson) -> None:
    """Empty and close the account, in the caller's transaction. Again: changes nothing more."""
    Address.objects.filter(user=user).delete()
    # With the account closed none of them opens anything; they are gone all the same.
    OutstandingToken.objects.filter(user=user).delete()
    user.groups.clear()
    user.user_permissions.clear()
    if is_erased(user.email):
        return
    # Not save(): that would write to the address that is being erased.
    User.objects.filter(pk=user.pk).update(
        email=person.addresses[mailbox_of(user.email)],
        name="",
        password=UNUSABLE,
        is_active=False,
        last_login=None,
        session_epoch=F("session_epoch") + 1,
    )
    user.refresh_from_db()


def end_sessions(person: ErasedPerson) -> int:
    """Delete the sessions that are the person's, or hold what they typed; how many.

    A session is signed text, so each one is read: some seconds with a hundred thousand of them.
    """
    ended = 0
    for session in Session.objects.iterator(chunk_size=1000):
        if _is_of(person, session.get_decoded()):
            SessionStore(session_key=session.session_key).delete()  # its copy in Redis as well
            ended += 1
    return ended


def _is_of(person: ErasedPerson, said: dict[str, Any]) -> bool:
    if person.user_id is not None and said.get("_auth_user_id") == str(person.user_id):
        return True
    text = json.dumps(said, ensure_ascii=False, default=str).casefold()
    emails = [word for word in person.variants if "@" in word]
    return any(word.casefold() in text for word in emails)
