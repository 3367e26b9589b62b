"""Erases an account or a guest: see the package's docstring for the steps."""

from collections.abc import Iterable, Sequence
from uuid import UUID

from django.db import transaction

from apps.backoffice import decision_log
from apps.backoffice import erasure as logs
from apps.cart.models import Cart
from apps.core.erased_person import ErasedPerson, is_erased, new_address
from apps.customers import erasure as accounts
from apps.customers.mailbox import mailbox_of
from apps.customers.models import User
from apps.inventory import erasure as ledger
from apps.notifications import erasure as mails
from apps.orders.erasure import own_rows
from apps.orders.erasure.signals import person_erased
from apps.orders.erasure.under_way import under_way
from apps.orders.models import Order
from apps.payments import erasure as payments
from apps.promos import erasure as promos

KIND = "erasure"  # in the log of decisions


class NotErasable(Exception):
    """Something is under way; `why`, one sentence each."""

    def __init__(self, why: Sequence[str]) -> None:
        super().__init__("; ".join(why))
        self.why = why


class AlreadyStaff(NotErasable):
    """The account may enter the back office, where its name stands beside decisions."""


def erase_account(user_id: int, *, actor: str, reason: str) -> User:
    """Erase an account and the orders of its buyer; the emptied account.

    Raises NotErasable, and User.DoesNotExist.
    """
    with transaction.atomic():
        # FOR UPDATE: an order of this account that is being accepted waits, or is seen.
        user = User.objects.select_for_update().get(pk=user_id)
        if user.is_staff or user.is_superuser:
            raise AlreadyStaff(["the account has rights in the back office: take them away first"])
        mailbox = mailbox_of(user.email)
        mine = Order.objects.filter(user=user)
        as_guest = Order.objects.filter(user__isnull=True, mailbox=mailbox)
        orders = _locked(mine.values_list("pk", flat=True).union(as_guest.values_list("pk")))
        _erase(
            orders,
            user=user,
            mailboxes={mailbox, *(order.mailbox for order in orders)},
            words=accounts.words_of(user),
            subject=f"account {user.pk}",
            actor=actor,
            reason=reason,
        )
        user.refresh_from_db()
        return user


def erase_guest(order_id: UUID, *, actor: str, reason: str) -> Order:
    """Erase the buyer of a guest's order, with the other orders of the same mailbox; the order.

    Raises NotErasable, also for the order of an account, and Order.DoesNotExist.
    """
    with transaction.atomic():
        order = Order.objects.get(pk=order_id)
        if order.user_id is not None:
            raise NotErasable(["the order belongs to an account: erase that"])
        mine = Order.objects.filter(user__isnull=True, mailbox=order.mailbox)
        if not order.mailbox:  # of a release that kept none
            mine = Order.objects.filter(pk=order_id)
        orders = _locked(mine.values_list("pk", flat=True))
        _erase(
            orders,
            user=None,
            mailboxes={order.mailbox},
            words=set(),
            subject=f"order {order.number}",
            actor=actor,
            reason=reason,
        )
        order.refresh_from_db()
        return order


def _locked(ids: Iterable[UUID]) -> list[Order]:
    """These orders, locked: their payments first, as in docs/locking.md."""
    wanted = list(ids)
    payments.lock(wanted)
    return list(Order.objects.filter(pk__in=wanted).order_by("pk").select_for_update())


def _erase(
    orders: Sequence[Order],
    *,
    user: User | None,
    mailboxes: set[str],
    words: set[str],
    subject: str,
    actor: str,
    reason: str,
) -> None:
    if why := under_way(orders):
        raise NotErasable(why)
    person = ErasedPerson(
        user_id=user.pk if user is not None else None,
        order_ids=tuple(order.pk for order in orders),
        # Erased before: the placeholder stays, so that nothing changes again.
        addresses={m: m if is_erased(m) else new_address() for m in sorted(mailboxes)},
        words=tuple(words | own_rows.words_of(orders)),
    )
    own_rows.erase(person, orders)
    payments.erase(person)
    promos.erase(person)
    ledger.erase(person)
    mails.erase(person)
    if user is not None:
        Cart.objects.filter(user=user).delete()
        accounts.erase_account(user, person)
    accounts.end_sessions(person)
    logs.erase(person, account=user)
    person_erased.send(sender=ErasedPerson, person=person)
    decision_log.record(
        KIND, subject, "erased", actor=actor, reason=person.without(reason), order_id=None
    )
