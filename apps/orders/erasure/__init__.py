"""Erasing a buyer: the person goes, the order stays (docs/erasure.md).

    erase_account(user, …)    an account, its orders, and what its mailbox ordered as a guest
    erase_guest(order, …)     a guest: the orders of the order's mailbox that belong to no account

Both refuse while an order is under way (under_way.py), do everything in one transaction, and may be
done again: what has come in since, a late webhook say, is cleaned as well.

    1. lock the account, then the payments, then the orders
    2. refuse what is under way
    3. collect what names the person: addresses, names, streets, telephone numbers
    4. every app takes the person out of its own tables
    5. record who did it and why in the log of decisions
"""

from apps.orders.erasure.erasing import AlreadyStaff, NotErasable, erase_account, erase_guest

__all__ = ["AlreadyStaff", "NotErasable", "erase_account", "erase_guest"]
