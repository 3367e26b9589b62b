"""Every page of the back office opens, for staff with all permissions and with only `view`."""

from typing import Any

import pytest
from django.contrib import admin
from django.contrib.admin.utils import quote
from django.test import Client
from django.urls import reverse

from apps.backoffice import decision_log as decisions
from apps.orders.fulfilment import returns
from tests.backoffice.conftest import an_order, in_review
from tests.factories import (
    GatewayCallFactory,
    HoldFactory,
    NotificationFactory,
    ProductImageFactory,
    RateFactory,
    RedemptionFactory,
    RefundFactory,
    TaxRateFactory,
    WebhookInboxFactory,
    a_mug,
    make_alice,
)

pytestmark = pytest.mark.django_db

MODELS = sorted(admin.site._registry, key=lambda model: model._meta.label)


@pytest.fixture
def full_shop(db: None) -> None:
    mug = a_mug(sku="MUG-1", stock=5)
    ProductImageFactory(product=mug.product)
    HoldFactory(order_id=in_review(user=make_alice()).pk)
    order = an_order("DELIVERED", mug=mug)
    returns.request_return(order.pk, lines=[("MUG-1", 1)], reason="too large")
    GatewayCallFactory(payment=RefundFactory().payment)
    for make in (RedemptionFactory, RateFactory, TaxRateFactory, WebhookInboxFactory):
        make()
    NotificationFactory(order_id=order.pk)
    decisions.record("saga", order.pk, "retry", actor="clerk", reason="x", order_id=order.pk)


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model._meta.label)
@pytest.mark.parametrize("who", ["staff", "looker"])
def test_pages_open(request: pytest.FixtureRequest, full_shop: None, who: str, model: Any) -> None:
    client: Client = request.getfixturevalue(who)
    prefix = f"admin:{model._meta.app_label}_{model._meta.model_name}"
    only_superusers = model._meta.label == "auth.Group"

    listing = client.get(reverse(f"{prefix}_changelist"))

    assert listing.status_code == (403 if who == "looker" and only_superusers else 200)
    assert client.get(reverse(f"{prefix}_changelist"), {"q": "x' \x00 %"}).status_code < 500
    add = client.get(reverse(f"{prefix}_add")).status_code
    assert add in ((403,) if who == "looker" else (200, 403))
    row = model.objects.first()
    if row is not None and not only_superusers:
        page = client.get(reverse(f"{prefix}_change", args=[quote(row.pk)]))
        leads_on = model._meta.label in ("orders.Saga", "orders.Return")
        assert page.status_code == (302 if leads_on else 200)
        history = client.get(reverse(f"{prefix}_history", args=[quote(row.pk)]))
        assert history.status_code == 200


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model._meta.label)
def test_nonsense_in_the_address_is_no_error(staff: Client, model: Any) -> None:
    url = reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist")

    for query in (
        "o=99.-3.x", "p=-1", "p=abc", "no_such_field=1", "placed_at_from=tomorrow",
        "created_at_from=0001-01-01", "created_at_to=9999-12-31", "created_at_to=30.02.",
        "id__exact=nonsense", "status__exact=%00", "shelf=x", "level=x", "state=x", "dead=x",
    ):  # fmt: skip
        assert staff.get(f"{url}?{query}").status_code < 500, query


def test_days_are_whole(staff: Client) -> None:
    from django.utils import timezone

    today = timezone.localtime().date().isoformat()
    an_order(number="KP-TODAY")
    url = reverse("admin:orders_order_changelist")

    for query, found in (
        ({"placed_at_from": today, "placed_at_to": today}, 1),
        ({"placed_at_to": "2000-01-01"}, 0),
        ({"placed_at_from": "9999-12-31"}, 0),
        ({"placed_at_from": "nonsense"}, 0),
    ):
        assert len(staff.get(url, query).context["cl"].result_list) == found, query


def test_pages_of_the_office_cannot_be_framed_and_run_nothing_inline(
    staff: Client,
) -> None:
    page = staff.get(reverse("admin:index"))

    # In whatever order they stand.
    policy = {part.strip() for part in page.headers["Content-Security-Policy"].split(";")}
    assert "script-src 'self' 'unsafe-eval'" in policy  # Alpine's price
    assert "frame-ancestors 'none'" in policy
    assert page.headers["X-Frame-Options"] == "DENY"
