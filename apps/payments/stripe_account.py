"""The Stripe account of the shop's API key: a row of dj-stripe's Account, where it may be known.

dj-stripe asks Stripe for it whenever it writes an object, and fails where Stripe refuses. Stripe
lets a restricted key read its account only if it was given that right, so for a restricted key
every write of dj-stripe's failed (its pull request 2237). Here a refusal is an answer: the account
is not known, and objects are stored without an owner.
"""

import time
from datetime import UTC, datetime

from django.conf import settings
from djstripe.models import Account, APIKey

from apps.payments.gateway import GatewayMisconfigured
from apps.payments.stripe_gateway import stripe_gateway_from_settings

ASK_AGAIN_AFTER = 3600.0  # seconds: until then a refused key is not tried again by this process
_refused: dict[str, float] = {}


def owner_account() -> str | None:
    """Id of the account of the shop's key; None where the key may not read it.

    Asks the gateway the first time only. Raises GatewayTransient when it does not answer.
    """
    account = account_of_key(settings.STRIPE_SECRET_KEY)
    return account.id if account else None


def account_of_key(api_key: str) -> Account | None:
    """The row of the account that `api_key` belongs to; None where the key may not read it."""
    key, _ = APIKey.objects.get_or_create_by_api_key(api_key)
    if key.djstripe_owner_account_id is not None:
        return key.djstripe_owner_account
    if time.monotonic() < _refused.get(api_key, 0.0):
        return None
    try:
        shown = stripe_gateway_from_settings(secret_key=api_key).read("/v1/account")
    except GatewayMisconfigured:
        _refused[api_key] = time.monotonic() + ASK_AGAIN_AFTER
        return None
    account, _ = Account.objects.get_or_create(
        id=shown["id"],
        defaults={
            "created": datetime.fromtimestamp(shown["created"], UTC)
            if shown.get("created")
            else None,
            "metadata": shown.get("metadata") or {},
            "stripe_data": shown,
        },
    )
    APIKey.objects.filter(pk=key.pk).update(djstripe_owner_account=account)
    return account


def take_over() -> None:
    """Have dj-stripe find accounts by this module. Once, when Django starts."""
    Account.get_or_retrieve_for_api_key = staticmethod(account_of_key)
