"""SQL in parameters that sort, filter and search: refused by name, never run."""

import pytest

from apps.api import pagination, parameters
from apps.orders.models import Order
from apps.promos.models import Redemption
from tests.api.conftest import Api, problem
from tests.factories import OrderFactory, PromoFactory, a_mug

SQL = [
    "name; DROP TABLE orders_order", "name,(SELECT pg_sleep(9))", "-(SELECT 1)", "price' OR '1",
    "price\x00", "RANDOM()", "category__secret", "password", "--name", "name desc",
    "\ufeff(SELECT 1)",
]  # fmt: skip


@pytest.mark.django_db
@pytest.mark.parametrize("sql", SQL)
@pytest.mark.parametrize(
    "name", ["ordering", "category", "min_price", "max_price", "in_stock", "cursor", "page_size"]
)
def test_api_takes_no_sql_to_sort_or_filter_by(api, name, sql):
    a_mug()
    answer = api.get("/products/", {name: sql})

    if name == "category" and parameters.SLUG.fullmatch(sql):
        assert answer.json()["results"] == [], "a name like any other"
    elif name == "cursor" and pagination.LETTERS.fullmatch(sql):
        problem(answer, 404, "not_found")  # a page like any other
    else:
        problem(answer, 400, "invalid")
    for path in ("/orders/", "/me/addresses/"):
        assert api.get(path, {name: sql}).status_code in (400, 401), path


@pytest.mark.django_db
@pytest.mark.parametrize("sql", SQL)
def test_page_takes_no_sql_to_sort_or_filter_by(visitor, sql):
    a_mug()
    for name in ("sort", "ordering", "min_price", "max_price", "page", "min", "max"):
        answer = visitor.get("/search/", {name: sql})
        assert answer.status_code in (200, 400), name
        assert b"Error" not in answer.content


@pytest.mark.django_db
def test_search_looks_for_the_words_themselves(api, visitor, django_assert_max_num_queries):
    a_mug()
    for words in (
        "' OR 1=1 --",
        "mug'); DELETE FROM catalog_product; --",
        "mug & | ! : *",
        "%",
        "_",
    ):
        assert api.get("/products/", {"search": words}).status_code == 200
        assert visitor.get("/search/", {"q": words}).status_code == 200
    assert len(api.get("/products/").json()["results"]) == 1


@pytest.mark.django_db
@pytest.mark.parametrize(
    "query", ["o=1;DROP", "o=-1.2.name", "password__startswith=a", "user__password__contains=a",
              "order__user__password=1", "id__in=(SELECT 1)", "q=' OR 1=1 --"],
)  # fmt: skip
def test_office_filters_by_what_it_lists_and_nothing_else(office, query):
    OrderFactory()
    for path in ("/admin/orders/order/", "/admin/customers/user/"):
        answer = office.get(f"{path}?{query}")
        assert answer.status_code in (200, 302, 400), (path, answer.status_code)
        if "password" in query:
            assert answer.status_code != 200, "a hash must not be guessed character by character"


@pytest.mark.parametrize(
    "typed",
    ["morning", " MORNING ", "mor ning", "MOR-NING", "ＭＯＲＮＩＮＧ", "МORNING", "MΟRNING",
     "MORN\u200bING", "M\u00adORNING", "MORNİNG"],
)  # fmt: skip
def test_code_is_the_same_however_it_looks(api, mug, buy, typed):
    """`once per customer` and `last use` are counted by the code, however it is typed."""
    PromoFactory(code="MORNING", total_limit=1)

    assert api.checkout(buy(promo_code="MORNING")).status_code == 202
    again = Api("198.51.100.7").checkout(buy(promo_code=typed))

    problem(again, 409, "promo_exhausted")
    assert Redemption.objects.count() == 1
    assert Order.objects.count() == 1
