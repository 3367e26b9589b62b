"""The Stripe account that owns what is mirrored, as dj-stripe finds it: by the shop's API key."""

from django.conf import settings
from djstripe.models import Account

from apps.payments.gateway import GatewayUnreachable


def owner_account() -> str | None:
    """Id of the row of dj-stripe's Account; None for a restricted key.

    Stripe lets no restricted key read its account (dj-stripe, Account.get_default_account). Asks
    the gateway the first time only. Raises GatewayUnreachable when that fails.
    """
    if settings.STRIPE_SECRET_KEY.startswith("rk_"):
        return None
    try:
        account = Account.get_or_retrieve_for_api_key(settings.STRIPE_SECRET_KEY)
    except Exception as error:  # of Stripe's library, which only its gateway imports
        raise GatewayUnreachable(f"the account is not known: {type(error).__name__}") from error
    return account.id if account else None
