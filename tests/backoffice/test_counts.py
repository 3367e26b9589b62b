"""Counting the shelf in the back office."""

import re

import pytest
from django.test import Client
from django.urls import reverse

from apps.inventory import stock
from apps.inventory.models import StockItem
from tests.backoffice.conftest import form_id, log, messages_of
from tests.factories import a_kettle, a_mug, held_mug

pytestmark = pytest.mark.django_db

CLERK = "clerk@kettleandpine.example"


def shelf(variant: object) -> StockItem:
    return StockItem.objects.get(variant=variant)


def page(item: StockItem) -> str:
    change = reverse("admin:inventory_stockitem_change", args=[item.pk])
    return change.replace("/change/", "/count/")


def opened(browser: Client, url: str) -> dict[str, str]:
    """The hidden fields of the page, as a browser sends them."""
    content = browser.get(url).content.decode()
    found = dict(re.findall(r'name="(seen_\d+)" value="(\d+/\d+)"', content))
    return found | {"form_id": form_id(browser, url)}


def test_count_that_agrees_is_kept(staff: Client) -> None:
    item = shelf(a_mug(stock=3, sku="MUG-1"))

    answer = staff.post(page(item), opened(staff, page(item)) | {
        f"item_{item.pk}": 3, "reason": "Monday",
    })  # fmt: skip

    assert answer.status_code == 302
    movement = item.movements.get(kind="adjusted")
    assert (movement.quantity, movement.actor) == (0, CLERK)
    assert log() == [(CLERK, "MUG-1: counted 3, as in the books, now 3. Monday")]


def test_sale_while_the_page_is_open_stays(staff: Client) -> None:
    item = shelf(a_mug(stock=10, sku="MUG-1"))
    sent = opened(staff, page(item)) | {f"item_{item.pk}": "9", "reason": "Monday"}
    stock.receive(sku="MUG-1", quantity=4, reason="pallet", actor="x")

    staff.post(page(item), sent)

    item.refresh_from_db()
    assert item.on_hand == 13


def test_colleagues_count_meanwhile_is_told(staff: Client) -> None:
    item = shelf(a_mug(stock=10, sku="MUG-1"))
    sent = opened(staff, page(item)) | {f"item_{item.pk}": "9", "reason": "Monday"}
    stock.adjust(sku="MUG-1", change=-1, reason="broken", actor="x")

    answer = staff.post(page(item), sent)

    assert "9 are in the books now" in messages_of(answer)[0]
    item.refresh_from_db()
    assert item.on_hand == 9


def test_several_are_counted_and_an_empty_field_is_not(staff: Client) -> None:
    mug, kettle = shelf(a_mug(stock=3)), shelf(a_kettle(stock=5))
    url = reverse("admin:inventory_stockitem_count_selected") + f"?ids={mug.pk},{kettle.pk}"

    staff.post(url, opened(staff, url) | {f"item_{mug.pk}": "2", "reason": "Monday"})
    nothing = staff.post(url, opened(staff, url) | {"reason": "Monday"})

    mug.refresh_from_db(), kettle.refresh_from_db()
    assert (mug.on_hand, kettle.on_hand) == (2, 5)
    assert not kettle.movements.filter(kind="adjusted").exists()
    assert "Enter at least one count." in nothing.content.decode()


@pytest.mark.parametrize("counted", ["-1", "1.5", "", "many", "10000001", "\u0663x"])
def test_wrong_entry_is_told_beside_the_field(staff: Client, counted: str) -> None:
    item = shelf(a_mug(stock=3))
    answer = staff.post(
        page(item),
        opened(staff, page(item)) | {f"item_{item.pk}": counted, "reason": "Monday"},
    )
    assert f"item_{item.pk}" in answer.context["form"].errors
    assert item.movements.filter(kind="adjusted").count() == 0


def test_forged_comparison_is_an_error_and_no_crash(staff: Client) -> None:
    item = shelf(a_mug(stock=3))
    sent = opened(staff, page(item)) | {f"seen_{item.pk}": "x", f"item_{item.pk}": "3"}
    assert staff.post(page(item), sent | {"reason": "x"}).status_code == 200
    assert item.movements.filter(kind="adjusted").count() == 0


def test_held_units_cannot_be_counted_away(staff: Client) -> None:
    item = shelf(held_mug(stock=2))
    answer = staff.post(
        page(item), opened(staff, page(item)) | {f"item_{item.pk}": "0", "reason": "Monday"}
    )
    assert "held for orders" in str(answer.context["form"].errors)


def test_looker_counts_nothing(looker: Client) -> None:
    item = shelf(a_mug(stock=3))
    assert looker.get(page(item)).status_code == 403
    assert looker.post(page(item), {f"item_{item.pk}": "1", "reason": "x"}).status_code == 403
