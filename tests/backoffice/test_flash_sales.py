"""A flash sale is written down and switched off by staff, and the shop knows it at once."""

from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from apps.flash_sales import active_sales
from apps.flash_sales.models import FlashSale
from tests.factories import a_flash_sale, a_mug

pytestmark = pytest.mark.django_db

ADD = reverse("admin:flash_sales_flashsale_add")
LIST = reverse("admin:flash_sales_flashsale_changelist")


def a_form(**changes: Any) -> dict[str, Any]:
    return {
        "name": "Winter Sale",
        "slug": "winter-sale",
        "active": "on",
        "skus": "MUG-1\n",
        "queue_opens_at_0": "2026-01-01",
        "queue_opens_at_1": "08:00:00",
        "starts_at_0": "2026-01-01",
        "starts_at_1": "09:00:00",
        "ends_at_0": "2099-01-02",
        "ends_at_1": "00:00:00",
        "stock_gate": "on",
        "admit_per_second": "100",
    } | changes


def page(sale: FlashSale) -> str:
    return reverse("admin:flash_sales_flashsale_change", args=[sale.pk])


def test_new_sale_stands_before_its_skus_at_once(staff: Client) -> None:
    a_mug(sku="MUG-1")
    assert active_sales.by_sku() == {}

    answer = staff.post(ADD, a_form())

    assert answer.status_code == 302, answer.content.decode()
    assert list(active_sales.by_sku()) == ["MUG-1"]
    assert active_sales.by_sku()["MUG-1"].admit_per_second == 100


def test_sale_that_is_switched_off_is_gone(staff: Client) -> None:
    sale = a_flash_sale(a_mug(sku="MUG-1"), slug="winter-sale")
    assert list(active_sales.by_sku()) == ["MUG-1"]

    form = a_form()
    del form["active"]
    assert staff.post(page(sale), form).status_code == 302

    assert active_sales.by_sku() == {}


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"skus": "MUG-1\nMUG-2"}, "Not sold here: MUG-2."),
        ({"skus": " \n"}, "This field is required."),
        ({"queue_opens_at_1": "10:00:00"}, "The doors open after the sale has started."),
        ({"ends_at_0": "2026-01-01", "ends_at_1": "09:00:00"}, "It ends before it starts."),
        ({"admit_per_second": "0"}, "greater than or equal to 1"),
        ({"queue_opens_at_0": "soon"}, "Enter a valid date."),
    ],
)
def test_slip_of_the_hand_is_named_and_nothing_is_saved(
    staff: Client, wrong: dict[str, str], message: str
) -> None:
    a_mug(sku="MUG-1")

    answer = staff.post(ADD, a_form(**wrong))

    assert answer.status_code == 200
    assert message in answer.content.decode()
    assert not FlashSale.objects.exists()


def test_form_shows_the_skus_it_was_given(staff: Client) -> None:
    sale = a_flash_sale(a_mug(sku="MUG-1"), a_mug(sku="MUG-2"))

    assert "MUG-1\nMUG-2</textarea>" in staff.get(page(sale)).content.decode()


def test_looker_sees_the_skus_and_changes_nothing(looker: Client) -> None:
    sale = a_flash_sale(a_mug(sku="MUG-1"))

    shown = looker.get(page(sale))

    assert "MUG-1" in shown.content.decode()
    assert looker.post(page(sale), a_form()).status_code == 403


def test_list_says_how_a_sale_stands(staff: Client) -> None:
    a_flash_sale(a_mug())

    assert "Winter Sale" in staff.get(LIST).content.decode()
