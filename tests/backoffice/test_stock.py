"""Stock in the back office: shown everywhere, changed only by movements with a reason."""

from typing import Any

import pytest
from django.contrib.auth.models import Permission
from django.test import Client
from django.urls import reverse
from django.utils.html import strip_tags

from apps.backoffice.order_links import orders_url
from apps.inventory.models import Hold, StockItem, StockMovement, Warehouse
from apps.inventory.stock import availability
from tests.backoffice.conftest import (
    Counting,
    do,
    form_id,
    log,
    messages_of,
    signed_in,
)
from tests.factories import (
    HoldFactory,
    OrderFactory,
    StaffFactory,
    VariantFactory,
    WarehouseFactory,
    a_kettle,
    a_mug,
    held_mug,
)

pytestmark = pytest.mark.django_db

LIST = reverse("admin:inventory_stockitem_changelist")
CLERK = "clerk@kettleandpine.example"


def stock_item(variant: Any) -> StockItem:
    return StockItem.objects.get(variant=variant)


def page(item: StockItem, action: str = "change") -> str:
    url = reverse("admin:inventory_stockitem_change", args=[item.pk])
    return url if action == "change" else url.replace("/change/", f"/{action}/")


def ledger(item: StockItem) -> list[tuple[str, int, str, str]]:
    rows = item.movements.exclude(kind="initial").order_by("created_at")
    return list(rows.values_list("kind", "quantity", "reason", "actor"))


def test_received_units_are_for_sale_and_in_the_ledger(staff: Client) -> None:
    item = stock_item(a_mug(stock=3, sku="MUG-1"))

    answer = do(staff, page(item, "receive"), **{f"item_{item.pk}": 7, "reason": "pallet 12"})

    assert answer.status_code == 302 and answer["Location"] == page(item)
    item.refresh_from_db()
    assert (item.on_hand, item.reserved) == (10, 0)
    assert availability(["MUG-1"]) == {"MUG-1": 10}
    assert ledger(item) == [("received", 7, "pallet 12", CLERK)]
    assert log() == [(CLERK, "MUG-1: +7, now 10 on hand. pallet 12")]
    assert messages_of(answer) == ["MUG-1: +7, now 10 on hand. pallet 12"]


def test_count_is_corrected_downwards(staff: Client) -> None:
    item = stock_item(a_mug(stock=3))

    do(staff, page(item, "adjust"), **{f"item_{item.pk}": -2, "reason": "two broken"})

    item.refresh_from_db()
    assert item.on_hand == 1
    assert ledger(item) == [("adjusted", -2, "two broken", CLERK)]


def test_held_units_cannot_be_adjusted_away(staff: Client) -> None:
    item = stock_item(held_mug(stock=2))

    answer = do(staff, page(item, "adjust"), **{f"item_{item.pk}": -1, "reason": "stolen"})

    assert answer.status_code == 200
    assert answer.context["form"].errors == {
        f"item_{item.pk}": ["2 on hand, 2 of them held for orders: at most 0 can be taken away."]
    }
    assert answer.context["form"]["reason"].value() == "stolen", "what was typed is kept"
    item.refresh_from_db()
    assert (item.on_hand, ledger(item), log()) == (2, [], [])


@pytest.mark.parametrize(
    ("action", "entry", "reason", "at_fault"),
    [
        ("receive", "0", "why", "item"),
        ("receive", "-3", "why", "item"),
        ("receive", "1.5", "why", "item"),
        ("receive", "1e3", "why", "item"),
        ("receive", str(2**63), "why", "item"),
        ("receive", "", "why", "item"),
        ("receive", "3", "", "reason"),
        ("receive", "3", "   ", "reason"),
        ("receive", "3", "a\x00b", "reason"),
        ("adjust", "0", "why", "item"),
        ("adjust", "three", "why", "item"),
        ("adjust", "-1", "", "reason"),
    ],
)
def test_bad_entry_is_named_beside_its_field(
    staff: Client, action: str, entry: str, reason: str, at_fault: str
) -> None:
    item = stock_item(a_mug(stock=3))

    answer = do(staff, page(item, action), **{f"item_{item.pk}": entry, "reason": reason})

    assert answer.status_code == 200
    assert [name.partition("_")[0] for name in answer.context["form"].errors] == [at_fault]
    item.refresh_from_db()
    assert (item.on_hand, ledger(item)) == (3, [])


def test_form_sent_twice_is_done_once(staff: Client) -> None:
    item = stock_item(a_mug(stock=3))
    url = page(item, "receive")
    entry = {"form_id": form_id(staff, url), f"item_{item.pk}": 7, "reason": "pallet 12"}

    staff.post(url, entry)
    again = staff.post(url, entry)

    item.refresh_from_db()
    assert item.on_hand == 10
    assert len(ledger(item)) == 1
    assert "This was done already: the form was sent twice." in messages_of(again)


def test_many_shelves_are_moved_with_one_reason(staff: Client) -> None:
    mug, kettle = stock_item(a_mug(stock=3)), stock_item(a_kettle(stock=1))
    asked = staff.post(
        LIST, {"action": "receive_selected", "_selected_action": [mug.pk, kettle.pk]}
    )
    assert asked.status_code == 302

    answer = do(
        staff,
        asked["Location"],
        **{f"item_{mug.pk}": 5, f"item_{kettle.pk}": 2, "reason": "pallet 12"},
    )

    assert answer["Location"] == LIST
    assert [StockItem.objects.get(pk=i.pk).on_hand for i in (mug, kettle)] == [8, 3]
    assert len(log()) == 2


def test_one_refused_shelf_leaves_all_as_they_were(staff: Client) -> None:
    free, held = stock_item(a_mug(stock=3)), stock_item(held_mug(stock=2))
    asked = staff.post(LIST, {"action": "adjust_selected", "_selected_action": [free.pk, held.pk]})

    answer = do(
        staff, asked["Location"], **{f"item_{free.pk}": -1, f"item_{held.pk}": -1, "reason": "x"}
    )

    assert list(answer.context["form"].errors) == [f"item_{held.pk}"]
    assert [StockItem.objects.get(pk=i.pk).on_hand for i in (free, held)] == [3, 2]
    assert StockMovement.objects.exclude(kind="initial").count() == 0
    assert log() == []


def test_first_units_of_a_sku_make_its_shelf(staff: Client) -> None:
    VariantFactory(sku="NEW-1")
    cellar = WarehouseFactory(name="Cellar")

    do(
        staff,
        f"{LIST}receive/",
        sku="NEW-1",
        warehouse=cellar.pk,
        quantity=4,
        reason="first batch",
    )

    made = StockItem.objects.get(variant__sku="NEW-1")
    assert (made.warehouse, made.on_hand) == (cellar, 4)


def test_unknown_sku_is_said_beside_the_field(staff: Client) -> None:
    cellar = WarehouseFactory()

    answer = do(
        staff, f"{LIST}receive/", sku="NO-SUCH", warehouse=cellar.pk, quantity=4, reason="x"
    )

    assert answer.context["form"].errors == {"sku": ["No variant has this SKU."]}
    assert not StockItem.objects.exists()


@pytest.mark.parametrize("field", ["on_hand", "reserved", "version"])
def test_stock_has_no_form(staff: Client, field: str) -> None:
    item = stock_item(a_mug(stock=3))

    assert staff.post(page(item), {field: "999"}).status_code == 403

    item.refresh_from_db()
    assert (item.on_hand, item.reserved) == (3, 0)
    assert f'name="{field}"' not in staff.get(page(item)).content.decode()


@pytest.mark.parametrize("model", ["stockitem", "stockmovement", "hold"])
def test_nothing_is_added_or_deleted_by_hand(staff: Client, model: str) -> None:
    held = HoldFactory()
    row = {
        "stockitem": held.stock_item,
        "stockmovement": held.stock_item.movements.get(),
        "hold": held,
    }[model]

    assert staff.get(reverse(f"admin:inventory_{model}_add")).status_code == 403
    for verb in ("delete", "change"):
        url = reverse(f"admin:inventory_{model}_{verb}", args=[row.pk])
        assert staff.post(url, {"post": "yes"}).status_code == 403
    staff.post(
        reverse(f"admin:inventory_{model}_changelist"),
        {"action": "delete_selected", "_selected_action": [row.pk], "post": "yes"},
    )
    assert type(row).objects.filter(pk=row.pk).exists()


def test_looker_moves_nothing(looker: Client) -> None:
    item = stock_item(a_mug(stock=3))

    for url in (page(item, "receive"), page(item, "adjust"), f"{LIST}receive/"):
        assert looker.get(url).status_code == 403
        assert looker.post(url, {f"item_{item.pk}": 5, "reason": "x"}).status_code == 403
    bulk = f"{LIST}receive-selected/?ids={item.pk}"
    assert looker.post(bulk, {f"item_{item.pk}": 5, "reason": "x"}).status_code == 403

    shown = looker.get(page(item))
    assert shown.status_code == 200
    assert "Receive units" not in shown.content.decode()
    item.refresh_from_db()
    assert item.on_hand == 3


def test_right_to_move_needs_no_more_than_the_right_to_write_the_ledger(db: None) -> None:
    porter = StaffFactory(email="porter@kettleandpine.example", is_superuser=False)
    porter.user_permissions.set(
        Permission.objects.filter(codename__in=["view_stockitem", "add_stockmovement"])
    )
    item = stock_item(a_mug(stock=3))

    do(signed_in(porter), page(item, "receive"), **{f"item_{item.pk}": 1, "reason": "x"})

    item.refresh_from_db()
    assert item.on_hand == 4


def test_page_shows_active_holds_with_their_orders_and_the_ledger(staff: Client) -> None:
    item = stock_item(a_mug(stock=5, sku="MUG-1"))
    order = OrderFactory(number="KP-HELD")
    HoldFactory(stock_item=item, order_id=order.pk, quantity=2)
    gone = OrderFactory(number="KP-GONE")
    HoldFactory(stock_item=item, order_id=gone.pk, state=Hold.State.RELEASED)

    shown = staff.get(page(item)).content.decode()

    assert reverse("admin:orders_order_change", args=[order.pk]) in shown
    assert "KP-HELD" in shown and "KP-GONE" not in shown
    assert "opening stock" in shown


@pytest.mark.parametrize(
    "url",
    [LIST, *(reverse(f"admin:inventory_{m}_changelist") for m in ("stockmovement", "hold"))],
)
def test_lists_cost_the_same_with_many_rows(queries_of: Counting, url: str) -> None:
    HoldFactory(order_id=OrderFactory().pk)
    queries_of(url)  # content types, once per process
    few = queries_of(url)
    for _ in range(12):
        HoldFactory(order_id=OrderFactory().pk)

    assert queries_of(url) == few <= 12


def test_page_costs_the_same_with_a_long_ledger(queries_of: Counting) -> None:
    item = stock_item(a_mug(stock=5))
    HoldFactory(stock_item=item, order_id=OrderFactory().pk)
    queries_of(page(item))
    few = queries_of(page(item))
    for _ in range(12):
        HoldFactory(stock_item=item, order_id=OrderFactory().pk, counted=True)
        StockMovement.objects.create(stock_item=item, kind="adjusted", quantity=0)

    assert queries_of(page(item)) == few <= 20


@pytest.mark.parametrize(
    ("level", "found"),
    [
        *[("out", {"OUT", "HELD"}), ("low", {"LOW"}), ("held", {"HELD"}), ("back", {"BACK"})],
        ("uncounted", {"UNCOUNTED"}),
    ],
)
def test_levels_are_filtered_by_what_is_for_sale(
    staff: Client, level: str, found: set[str]
) -> None:
    a_mug(stock=0, sku="OUT")
    held_mug(stock=20, sku="HELD")
    a_mug(stock=5, sku="LOW")
    a_mug(stock=6, sku="PLENTY")
    a_mug(stock=0, sku="BACK", inventory_policy="continue")
    a_mug(stock=0, sku="UNCOUNTED", inventory_policy="untracked")

    results = staff.get(LIST, {"level": level}).context["cl"].result_list

    assert {item.variant.sku for item in results} == found


def test_default_warehouse_is_changed_by_a_staff_action(staff: Client) -> None:
    main = stock_item(a_mug()).warehouse
    cellar = WarehouseFactory()
    url = reverse("admin:inventory_warehouse_change", args=[cellar.pk])

    do(staff, url.replace("/change/", "/make-default/"), reason="moved house")

    assert list(Warehouse.objects.filter(is_default=True)) == [cellar]
    main.refresh_from_db()
    assert not main.is_default


def test_stock_item_shows_who_holds_it_without_having_paid(staff: Client) -> None:
    item = stock_item(a_mug(stock=100))
    attack = [
        OrderFactory(status="REQUIRES_ACTION", mailbox=f"m{n}@example.com", client="a1" * 16)
        for n in range(3)
    ]
    paid = OrderFactory(status="PAYMENT_AUTHORIZED", mailbox="alice@example.com")
    for order in attack:
        HoldFactory(stock_item=item, order_id=order.pk, quantity=20)
    HoldFactory(stock_item=item, order_id=paid.pk, quantity=2)

    shown = staff.get(page(item)).content.decode()

    text = " ".join(strip_tags(shown).split())
    assert "address a1a1a1a1: 60 units in 3 orders, 60 of them not paid" in text
    assert "mailbox m0@example.com: 20 units in 1 orders, 20 of them not paid" in text
    assert "mailbox alice@example.com: 2 units in 1 orders, 0 of them not paid" in text
    assert text.index("address a1a1a1a1") < text.index("mailbox alice@example.com")
    for order in attack:
        assert order.number in text


def test_address_leads_to_its_orders(staff: Client) -> None:
    theirs = OrderFactory(client="a1" * 16)
    other = OrderFactory(client="b2" * 16)

    found = staff.get(orders_url("a1" * 16)).content.decode()

    assert theirs.number in found
    assert other.number not in found


def test_holds_are_listed_with_their_holders(staff: Client) -> None:
    order = OrderFactory(status="PENDING", mailbox="mallory@example.com", client="a1" * 16)
    HoldFactory(stock_item=stock_item(a_mug()), order_id=order.pk)

    shown = staff.get(reverse("admin:inventory_hold_changelist")).content.decode()

    assert "mallory@example.com" in shown
    assert "a1a1a1a1" in shown
    assert "not paid" in shown
