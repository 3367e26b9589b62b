"""Categories in the back office."""

import pytest
from django.contrib.auth.models import Permission
from django.test import Client
from django.urls import reverse

from apps.catalog.models import Category
from tests.backoffice.conftest import (
    errors,
    form_of,
    save,
    signed_in,
)
from tests.factories import (
    CategoryFactory,
    StaffFactory,
    a_mug,
)

pytestmark = pytest.mark.django_db


def tree() -> list[tuple[int, str]]:
    return [(category.depth, category.slug) for category in Category.objects.get_tree()]


def category_page(category: Category) -> str:
    return reverse("admin:catalog_category_change", args=[category.pk])


def test_category_is_made_below_another(staff: Client) -> None:
    kitchen = CategoryFactory(name="Kitchen")
    add = reverse("admin:catalog_category_add")

    staff.post(
        add, {"name": "Cups", "slug": "cups", "place": "last-child", "relative_to": kitchen.pk}
    )

    assert tree() == [(1, "kitchen"), (2, "cups")]


@pytest.mark.parametrize(
    ("place", "beside", "after"),
    [
        ("first-child", "a", ["1 a", "2 c", "1 b"]),
        ("left", "a", ["1 c", "1 a", "1 b"]),
        ("right", "a", ["1 a", "1 c", "1 b"]),
        ("first-child", None, ["1 c", "1 a", "1 b"]),
        ("", None, ["1 a", "1 b", "1 c"]),
    ],
)
def test_category_is_placed_elsewhere(
    staff: Client, place: str, beside: str | None, after: list[str]
) -> None:
    categories = {name: CategoryFactory(name=name) for name in "abc"}
    target = categories[beside].pk if beside else ""

    answer = save(staff, category_page(categories["c"]), place=place, relative_to=target)

    assert answer.status_code == 302
    assert [f"{depth} {slug}" for depth, slug in tree()] == after
    assert Category.objects.find_problems() == ([], [], [], [], [])


def test_category_is_not_placed_below_itself(staff: Client) -> None:
    kitchen = CategoryFactory(name="Kitchen")
    cups = CategoryFactory(name="Cups", parent=kitchen)

    answer = save(staff, category_page(kitchen), place="last-child", relative_to=cups.pk)

    assert list(errors(answer)) == ["relative_to"]
    assert tree() == [(1, "kitchen"), (2, "cups")]


def test_category_with_categories_or_products_is_not_deleted(staff: Client) -> None:
    kitchen = CategoryFactory(name="Kitchen")
    cups = CategoryFactory(name="Cups", parent=kitchen)
    a_mug(category=cups)

    for category in (kitchen, cups):
        staff.post(reverse("admin:catalog_category_delete", args=[category.pk]), {"post": "yes"})

    assert tree() == [(1, "kitchen"), (2, "cups")]


def test_saving_a_category_keeps_its_place(staff: Client) -> None:
    kitchen, cups = CategoryFactory(name="Kitchen"), CategoryFactory(name="Cups")
    form = form_of(staff, category_page(cups))
    Category.objects.move(
        Category.objects.get(pk=cups.pk), Category.objects.get(pk=kitchen.pk), "last-child"
    )

    staff.post(category_page(cups), {**form, "name": "Cups & Mugs"})

    assert tree() == [(1, "kitchen"), (2, "cups")]
    assert Category.objects.find_problems() == ([], [], [], [], [])


def test_editor_of_products_alone_cannot_change_a_category(db: None) -> None:
    editor = StaffFactory(email="editor@kettleandpine.example", is_superuser=False)
    editor.user_permissions.set(Permission.objects.filter(codename__endswith="_product"))
    category = CategoryFactory(name="Kitchen")

    answer = signed_in(editor).post(category_page(category), {"name": "x", "slug": "x"})

    assert answer.status_code == 403
    category.refresh_from_db()
    assert category.name == "Kitchen"
