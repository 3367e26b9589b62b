"""The pages of dj-stripe's copies of Stripe's objects, to look at."""

from typing import Any

from django.contrib import admin
from django.utils.safestring import SafeString
from djstripe import models
from unfold.decorators import display

from apps.payments.admin.stripe_base import StripeObjectAdmin, link_to, stripe_amount


@admin.register(models.PaymentIntent)
class PaymentIntentAdmin(StripeObjectAdmin):
    """Payments as Stripe has them."""

    shown = ("money", "state", "charge", "method")

    @display(description="charge")
    def charge(self, intent: Any) -> SafeString | str:
        return link_to(models.Charge, intent.stripe_data.get("latest_charge"))

    @display(description="payment method")
    def method(self, intent: Any) -> SafeString | str:
        return link_to(models.PaymentMethod, intent.payment_method_id)


@admin.register(models.Charge)
class ChargeAdmin(StripeObjectAdmin):
    """Charges: the money taken from a card."""

    shown = ("money", "state", "intent", "transaction")

    @display(description="payment intent")
    def intent(self, charge: Any) -> SafeString | str:
        return link_to(models.PaymentIntent, charge.payment_intent_id)

    @display(description="balance transaction")
    def transaction(self, charge: Any) -> SafeString | str:
        return link_to(models.BalanceTransaction, charge.balance_transaction_id)


@admin.register(models.Refund)
class RefundAdmin(StripeObjectAdmin):
    """Refunds as Stripe has them."""

    shown = ("money", "state", "charge_link", "transaction")

    @display(description="charge")
    def charge_link(self, refund: Any) -> SafeString | str:
        return link_to(models.Charge, refund.charge_id)

    @display(description="balance transaction")
    def transaction(self, refund: Any) -> SafeString | str:
        return link_to(models.BalanceTransaction, refund.balance_transaction_id)


@admin.register(models.BalanceTransaction)
class BalanceTransactionAdmin(StripeObjectAdmin):
    """What a charge or refund did to the account's balance, Stripe's fee included."""

    shown = ("money", "fee_shown", "net_shown", "type", "source")

    @display(description="fee")
    def fee_shown(self, moved: Any) -> str:
        return stripe_amount(moved.fee, moved.currency)

    @display(description="net")
    def net_shown(self, moved: Any) -> str:
        return stripe_amount(moved.net, moved.currency)


@admin.register(models.PaymentMethod)
class PaymentMethodAdmin(StripeObjectAdmin):
    """Cards, by their last four digits."""

    shown = ("card",)

    @display(description="card")
    def card(self, method: Any) -> str:
        card = method.stripe_data.get("card") or {}
        return f"{card.get('brand', '')} {card.get('last4', '')}".strip() or "–"


@admin.register(models.Dispute)
class DisputeAdmin(StripeObjectAdmin):
    """Disputes: a card holder has their bank take money back."""

    shown = ("money", "state", "charge_link")

    @display(description="charge")
    def charge_link(self, dispute: Any) -> SafeString | str:
        return link_to(models.Charge, dispute.charge_id)


@admin.register(models.Event)
class EventAdmin(StripeObjectAdmin):
    """Events, as dj-stripe's receivers are given them."""

    shown = ("type",)
    own = ("api_version", "request_id", "idempotency_key", "livemode", "djstripe_updated")
    search_fields = ("=id", "=type")
    search_help_text = "Stripe's id (evt_…) or the whole type"


@admin.register(models.Account)
class AccountAdmin(StripeObjectAdmin):
    """The account that the keys belong to."""

    shown = ("name",)

    @display(description="name")
    def name(self, account: Any) -> str:
        return str(account)


@admin.register(models.WebhookEndpoint)
class WebhookEndpointAdmin(StripeObjectAdmin):
    """Where Stripe sends webhooks. The secret that signs them is not shown."""

    shown = ("url", "status")
    own = (
        "enabled_events", "api_version", "djstripe_uuid", "djstripe_tolerance",
        "djstripe_validation_method", "livemode", "djstripe_updated",
    )  # fmt: skip
