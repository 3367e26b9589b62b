"""dj-stripe's copies of Stripe's objects: to look at, never to write, and no secret among them."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib import admin
from django.contrib.auth.models import Permission
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from djstripe import models

from apps.customers.admin.permissions import opening_a_page
from apps.customers.models import User
from tests.backoffice.conftest import signed_in

pytestmark = pytest.mark.django_db

SECRETS = (
    "whsec_endpoint", "pi_1_secret_abc", "sk_test_" + "k" * 32, "ab12cd34signature",
    "4242 4242 4242",
)  # fmt: skip
PAGES = {
    "account", "balancetransaction", "charge", "dispute", "event", "paymentintent",
    "paymentmethod", "refund", "webhookendpoint", "webhookeventtrigger",
}  # fmt: skip


@pytest.fixture
def copies(db: None) -> None:
    """An object of each kind, with secrets wherever Stripe or a stranger could put one."""
    account = models.Account.objects.create(id="acct_1", stripe_data={"email": "a@example.com"})
    common: dict[str, Any] = {"djstripe_owner_account": account, "livemode": False}
    money = {"amount": 2548, "currency": "usd", "status": "succeeded"}
    method = models.PaymentMethod.objects.create(
        id="pm_1",
        stripe_data={"type": "card", "card": {"brand": "visa", "last4": "4242"}},
        **common,
    )
    intent = models.PaymentIntent.objects.create(
        id="pi_1",
        payment_method=method,
        stripe_data={"client_secret": "pi_1_secret_abc", "latest_charge": "ch_1", **money},
        **common,
    )
    moved = models.BalanceTransaction.objects.create(
        id="txn_1", amount=2548, currency="usd", source="ch_1", type="charge",
        stripe_data={**money, "fee": 104, "net": 2444, "status": "pending"}, **common,
    )  # fmt: skip
    charge = models.Charge.objects.create(
        id="ch_1", amount="25.48", currency="usd", status="succeeded", payment_intent=intent,
        balance_transaction=moved, stripe_data={"description": "4242 4242 4242 4242", **money},
        **common,
    )  # fmt: skip
    models.Refund.objects.create(
        id="re_1", amount=100, currency="usd", charge=charge, stripe_data=money, **common
    )
    disputed = {**money, "status": "needs_response", "reason": "fraudulent"}
    models.Dispute.objects.create(id="dp_1", charge=charge, stripe_data=disputed, **common)
    object = {"object": {"client_secret": "pi_1_secret_abc", "note": "sk_test_" + "k" * 32}}
    event = models.Event.objects.create(
        id="evt_1", type="payment_intent.succeeded", data=object, stripe_data={"data": object},
        created=timezone.now(), **common,
    )  # fmt: skip
    endpoint = models.WebhookEndpoint.objects.create(
        id="we_1", secret="whsec_endpoint", url="https://shop.example/stripe/webhook/",
        enabled_events=["*"], status="enabled", stripe_data={"secret": "whsec_endpoint"}, **common,
    )  # fmt: skip
    models.WebhookEventTrigger.objects.create(
        remote_ip="203.0.113.7", valid=True, event=event, webhook_endpoint=endpoint,
        headers={"Stripe-Signature": "t=1,v1=ab12cd34signature", "User-Agent": "Stripe/1.0"},
        body='{"data": {"object": {"client_secret": "pi_1_secret_abc"}}}',
    )  # fmt: skip
    models.APIKey.objects.create(
        secret="sk_test_" + "k" * 32, type="secret", djstripe_owner_account=account, livemode=False
    )


# Stripe adds to these lists between two releases of dj-stripe.
NEWER = {
    "balancetransaction": {"status": "on_the_moon", "type": "moon_dust"},
    "charge": {"status": "on_the_moon", "captured": True},
    "dispute": {"status": "on_the_moon", "reason": "moonstruck"},
    "paymentintent": {"status": "on_the_moon", "cancellation_reason": "moonstruck"},
    "paymentmethod": {"type": "moon_card"},
    "refund": {"status": "on_the_moon", "failure_reason": "moonstruck"},
    "event": {"type": "moon.risen"},
    "webhookendpoint": {"status": "on_the_moon"},
}


def copies_of(model: str) -> Any:
    return next(m for m in admin.site._registry if m._meta.label_lower == f"djstripe.{model}")


def test_kinds_that_the_mirror_fills_have_a_page_and_keys_have_none(staff: Client) -> None:
    shown = {m._meta.model_name for m in admin.site._registry if m._meta.app_label == "djstripe"}

    assert shown == PAGES
    assert staff.get("/admin/djstripe/apikey/").status_code == 404


@pytest.mark.parametrize("model", sorted(PAGES))
def test_page_shows_no_secret_and_takes_no_change(
    copies: None, looker: Client, staff: Client, model: str
) -> None:
    row = copies_of(model).objects.get()
    listing = reverse(f"admin:djstripe_{model}_changelist")
    page = reverse(f"admin:djstripe_{model}_change", args=[row.pk])

    for client in (looker, staff):
        answers = [client.get(listing), client.get(page)]
        assert [answer.status_code for answer in answers] == [200, 200]
        text = "".join(answer.content.decode() for answer in answers)
        assert str(getattr(row, "id", row.pk)) in text
        assert not [secret for secret in SECRETS if secret in text]

    before = copies_of(model).objects.values().get()
    assert staff.post(page, {"id": "changed"}).status_code == 403
    assert staff.get(f"{listing}add/").status_code == 403
    assert staff.post(page.replace("/change/", "/delete/"), {"post": "yes"}).status_code == 403
    staff.post(listing, {"action": "delete_selected", "_selected_action": [row.pk], "post": "yes"})
    assert copies_of(model).objects.values().get() == before


@pytest.mark.parametrize("model", sorted(NEWER))
def test_status_that_is_newer_than_dj_stripe_is_shown_as_it_is(
    copies: None, staff: Client, model: str
) -> None:
    row = copies_of(model).objects.get()
    columns = {field.name for field in row._meta.concrete_fields}
    for name, value in NEWER[model].items():
        if name in columns:
            setattr(row, name, value)
    row.stripe_data = {**(row.stripe_data or {}), **NEWER[model]}
    row.save()

    for page in ("change", "history"):
        answer = staff.get(reverse(f"admin:djstripe_{model}_{page}", args=[row.pk]))
        assert answer.status_code == 200
    listed = staff.get(reverse(f"admin:djstripe_{model}_changelist"))
    assert listed.status_code == 200
    (first, *_) = NEWER[model].values()
    shown = staff.get(reverse(f"admin:djstripe_{model}_change", args=[row.pk])).content.decode()
    assert first in shown or first.replace("_", " ") in shown


@pytest.mark.parametrize("model", sorted(PAGES - {"webhookeventtrigger"}))
def test_copy_of_which_next_to_nothing_is_known_has_a_page(
    copies: None, staff: Client, model: str
) -> None:
    copies_of(model).objects.update(stripe_data={})
    row = copies_of(model).objects.get()

    for page, words in (("change", [row.pk]), ("history", [row.pk]), ("changelist", [])):
        answer = staff.get(reverse(f"admin:djstripe_{model}_{page}", args=words))
        assert answer.status_code == 200


def test_copies_are_found_by_their_id_and_lead_on_to_each_other(
    copies: None, staff: Client
) -> None:
    listing = reverse("admin:djstripe_charge_changelist")
    found = staff.get(listing, {"q": "ch_1"})

    assert [charge.id for charge in found.context["cl"].result_list] == ["ch_1"]
    for there in ("paymentintent/?q=pi_1", "balancetransaction/?q=txn_1"):
        assert f"/admin/djstripe/{there}" in found.content.decode()
    assert not staff.get(listing, {"q": "ch_2"}).context["cl"].result_list


def test_roles_are_given_the_right_to_look_at_copies_and_no_other() -> None:
    offered = opening_a_page(Permission.objects.all()).filter(content_type__app_label="djstripe")

    assert set(offered.values_list("codename", flat=True)) == {f"view_{name}" for name in PAGES}


def test_who_may_not_look_is_led_nowhere(copies: None, looker: Client) -> None:
    address = reverse("admin:djstripe_charge_changelist")
    assert address in looker.get(reverse("admin:index")).content.decode()

    permissions = Permission.objects.filter(content_type__app_label="djstripe")
    trainee = User.objects.get(email="trainee@kettleandpine.example")
    trainee.user_permissions.remove(*permissions)
    less = signed_in(trainee)
    assert address not in less.get(reverse("admin:index")).content.decode()
    assert less.get(address).status_code == 403
