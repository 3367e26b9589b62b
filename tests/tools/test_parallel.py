"""When several processes run the tests: which test is the last one of the running shop."""

from types import SimpleNamespace
from typing import Any

from tests.parallel import leaves_shared_shop

JOURNEY = "tests/journeys/test_buying_by_page.py::test_guest_buys"
OF_THE_SHOP_TOO = "tests/clients/test_clients.py::test_generated_client"
ANOTHER = "tests/promos/test_codes.py::test_code"


def a_test(nodeid: str, *, alone: bool = False) -> Any:
    config = SimpleNamespace() if alone else SimpleNamespace(workerinput={})
    return SimpleNamespace(nodeid=nodeid, config=config)


def test_shop_ends_with_the_last_test_that_uses_it() -> None:
    assert leaves_shared_shop(a_test(JOURNEY), a_test(ANOTHER))
    assert leaves_shared_shop(a_test(JOURNEY), None)


def test_shop_goes_on_for_the_next_test_that_uses_it() -> None:
    assert not leaves_shared_shop(a_test(JOURNEY), a_test(OF_THE_SHOP_TOO))


def test_other_tests_do_not_end_it() -> None:
    assert not leaves_shared_shop(a_test(ANOTHER), a_test(ANOTHER))


def test_one_process_alone_keeps_it() -> None:
    assert not leaves_shared_shop(a_test(JOURNEY, alone=True), a_test(ANOTHER, alone=True))
