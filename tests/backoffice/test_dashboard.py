"""The first page: what happened today and what waits for a person."""

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.contrib.auth.models import Permission
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from apps.customers.models import User
from apps.orders.admin.dashboard import Figure, first_id_of
from tests.backoffice.conftest import (
    Counting,
    an_order,
    in_review,
    signed_in,
)
from tests.factories import (
    NotificationFactory,
    OrderFactory,
    PaymentFactory,
    SagaFactory,
    StaffFactory,
    WebhookInboxFactory,
    a_mug,
    held_mug,
    sold_out_mug,
)

pytestmark = pytest.mark.django_db

INDEX = reverse("admin:index")


def figures(client: Client) -> dict[str, Figure]:
    return {figure.name: figure for figure in client.get(INDEX).context["dashboard"].figures}


def yesterday() -> Any:
    moment = timezone.localtime().replace(hour=0, minute=0) - timedelta(minutes=5)
    return an_id_of(moment)


def an_id_of(moment: datetime) -> UUID:
    """A UUIDv7 as it is made at `moment`: version and variant set, the rest by chance."""
    by_chance = uuid4().int & ((1 << 74) - 1)
    return UUID(
        int=int(moment.timestamp() * 1000) << 80 | 0x7 << 76 | 0b10 << 62
        | (by_chance >> 62) << 64 | by_chance & ((1 << 62) - 1)
    )  # fmt: skip


def test_ids_begin_with_their_moment() -> None:
    moment = timezone.now()
    millisecond = timedelta(milliseconds=1)

    assert an_id_of(moment - millisecond) < first_id_of(moment) <= an_id_of(moment)
    assert an_id_of(moment).version == 7
    assert first_id_of(moment - timedelta(minutes=1)) < OrderFactory().pk
    assert OrderFactory().pk < first_id_of(moment + timedelta(minutes=1))


def test_only_today_counts(staff: Client) -> None:
    OrderFactory()
    OrderFactory(status="CANCELLED")
    OrderFactory(id=yesterday())
    PaymentFactory(captured=True, refunded_amount=399)
    PaymentFactory(captured=True, id=yesterday())
    PaymentFactory(authorized=True)

    shown = figures(staff)

    assert (shown["Orders today"].value, shown["Orders today"].note) == ("2", "1 cancelled")
    assert (shown["Revenue today"].value, shown["Revenue today"].note) == (
        "$20.00",
        "$3.99 refunded",
    )


def test_what_waits_for_a_person_is_an_alarm(staff: Client) -> None:
    in_review(number="KP-STUCK")
    SagaFactory()
    WebhookInboxFactory(state="dead")
    WebhookInboxFactory(state="quarantined")
    WebhookInboxFactory(state="quarantined", resolved_at=timezone.now())
    NotificationFactory(state="dead")

    shown = figures(staff)

    waiting = {name: figure.value for name, figure in shown.items() if figure.alarm}
    assert waiting == {"Needs a person": "4"}
    assert shown["Needs a person"].note == "orders 1, webhooks 2, mail 1"
    assert shown["Sagas due"].value == "1"
    page = staff.get(INDEX).content.decode()
    assert "KP-STUCK" in page
    assert "Waiting for a decision" in page


def test_quiet_day_raises_no_alarm(staff: Client) -> None:
    assert not [figure for figure in figures(staff).values() if figure.alarm]
    assert "Waiting for a decision" not in staff.get(INDEX).content.decode()


def test_low_stock_names_what_runs_out(staff: Client) -> None:
    a_mug(stock=5, sku="FIVE-LEFT")
    a_mug(stock=2, sku="TWO-LEFT")
    a_mug(stock=6, sku="PLENTY")
    held_mug(stock=9, sku="ALL-HELD")
    sold_out_mug(sku="GONE")
    a_mug(stock=1, sku="HIDDEN", published=False)
    a_mug(stock=1, sku="INACTIVE", active=False)
    a_mug(stock=0, sku="SHIPS-LATER", inventory_policy="continue")
    a_mug(stock=1, sku="NOT-COUNTED", inventory_policy="untracked")

    page = staff.get(INDEX)

    day = page.context["dashboard"]
    assert [item.variant.sku for item in day.low] == ["TWO-LEFT", "FIVE-LEFT"]
    assert (day.sold_out, day.back_ordered) == (2, 1)
    assert "1 back-ordered" in page.content.decode()


def test_first_page_costs_the_same_on_a_busy_day(queries_of: Counting) -> None:
    an_order()
    in_review()
    queries_of(INDEX)
    few = queries_of(INDEX)
    for _ in range(6):
        an_order(mug=a_mug(stock=3))
        in_review()

    assert queries_of(INDEX) == few <= 18


def test_everyone_sees_the_parts_that_they_may_open(db: None) -> None:
    packer = StaffFactory(email="packer@kettleandpine.example", is_superuser=False)
    browser = signed_in(packer)
    assert browser.get(INDEX).status_code == 200
    assert figures(browser) == {}

    packer.user_permissions.set(Permission.objects.filter(codename="view_order"))
    # New permissions end access to the back office (test_staff_session.py).
    browser = signed_in(User.objects.get(pk=packer.pk))
    order = an_order(number="KP-SEEN")
    page = browser.get(INDEX).content.decode()

    assert set(figures(browser)) == {"Orders today"}
    assert "KP-SEEN" in page and str(order.pk) in page
    assert "Low stock" not in page and "Revenue" not in page
    assert reverse("admin:payments_payment_changelist") not in page


def test_says_that_no_money_moves(staff: Client, settings: Any) -> None:
    assert "No money moves" not in staff.get(INDEX).content.decode()

    settings.GATEWAY_READONLY = True

    assert "this shop only reads now: GATEWAY_READONLY is set." in staff.get(INDEX).content.decode()
