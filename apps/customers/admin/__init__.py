"""Accounts in the back office: customers with addresses and orders, staff with their rights.

Whoever may edit accounts must not gain rights by it. Only a superuser gives staff status, groups
and permissions, and only a superuser changes the account of a colleague. Otherwise "may edit
customers" would lead to every right, through one's own account or a colleague's new password.
Superusers sign in again before rights, or a colleague's account, change
(apps/backoffice/sign_in/reauthentication.py).
"""

from apps.customers.admin import accounts, roles, unregistered

__all__ = ["accounts", "roles", "unregistered"]
