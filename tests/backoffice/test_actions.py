"""A form is done once, also when both clicks arrive at the same instant."""

import threading
from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.urls import reverse

from apps.backoffice import actions
from apps.inventory.models import StockItem
from tests.backoffice.conftest import form_id, log, signed_in
from tests.factories import a_mug, make_clerk


def at_once(call: Callable[[], Any], times: int) -> None:
    """Run `call` in so many threads that all start together."""
    barrier = threading.Barrier(times)

    def run() -> None:
        barrier.wait()
        try:
            call()
        finally:
            connection.close()

    threads = [threading.Thread(target=run) for _ in range(times)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def clicks(times: int) -> int:
    """Send one form for ten units so many times at once; the units on hand afterwards."""
    clerk = make_clerk()
    item = StockItem.objects.get(variant=a_mug(stock=0))
    url = reverse("admin:inventory_stockitem_change", args=[item.pk]).replace("change", "receive")
    browser: Client = signed_in(clerk)
    entry = {"form_id": form_id(browser, url), f"item_{item.pk}": 10, "reason": "pallet 12"}
    cookies = browser.cookies

    def click() -> None:
        own = Client()
        own.cookies = cookies.copy()
        assert own.post(url, entry).status_code == 302

    at_once(click, times)
    item.refresh_from_db()
    return item.on_hand


@pytest.mark.race
@pytest.mark.django_db(transaction=True)
def test_six_clicks_at_once_are_one_delivery() -> None:
    assert clicks(6) == 10
    assert len(log()) == 1


@pytest.mark.race
@pytest.mark.django_db(transaction=True)
def test_without_the_forms_turn_they_would_be_many(monkeypatch: pytest.MonkeyPatch) -> None:
    """The control: the race is real, it is the guard that ends it."""
    monkeypatch.setattr(actions, "_is_done", lambda request, this_form: False)

    assert clicks(6) == 60


@pytest.mark.django_db
def test_failed_action_leaves_its_form_usable(staff: Client) -> None:
    item = StockItem.objects.get(variant=a_mug(stock=1))
    url = reverse("admin:inventory_stockitem_change", args=[item.pk]).replace("change", "adjust")
    entry = {"form_id": form_id(staff, url), "reason": "x"}

    refused = staff.post(url, {**entry, f"item_{item.pk}": -2})
    assert refused.status_code == 200
    assert str(refused.context["form"]["form_id"].value()) == entry["form_id"]
    staff.post(url, {**entry, f"item_{item.pk}": -1})

    item.refresh_from_db()
    assert item.on_hand == 0


@pytest.mark.django_db
@pytest.mark.parametrize("sent", ["", "nonsense", "0" * 40])
def test_form_without_an_id_does_nothing(staff: Client, sent: str) -> None:
    item = StockItem.objects.get(variant=a_mug(stock=1))
    url = reverse("admin:inventory_stockitem_change", args=[item.pk]).replace("change", "receive")

    answer = staff.post(url, {"form_id": sent, f"item_{item.pk}": 5, "reason": "x"})

    assert answer.status_code == 200
    assert "Open this page again" in answer.content.decode()
    item.refresh_from_db()
    assert item.on_hand == 1
