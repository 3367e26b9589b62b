"""Which tests get a second try: those that wait for a running shop, and never a race."""

import pytest

from tests.second_try import allow_second_try


class FoundTest:
    """What pytest has collected, as far as it is asked for."""

    def __init__(self, nodeid: str, *marks: str) -> None:
        self.nodeid = nodeid
        self.marks = {name: getattr(pytest.mark, name).mark for name in marks}

    def get_closest_marker(self, name: str) -> pytest.Mark | None:
        return self.marks.get(name)

    def add_marker(self, decorator: pytest.MarkDecorator) -> None:
        self.marks[decorator.name] = decorator.mark


@pytest.mark.parametrize(
    ("nodeid", "marks", "tries"),
    [
        ("tests/journeys/test_buying_by_api.py::TestMishaps::test_one", ["journey"], 2),
        ("tests/hostile/edge/test_slow_clients.py::test_one[a]", [], 2),
        ("tests/crashes/test_points.py::test_one", [], 1),
        ("tests/journeys/test_two_hundred_orders.py::test_one", ["race"], 1),
        ("tests/promos/test_redeem.py::test_one", [], 1),
        ("tests/core/test_money.py::test_one", [], 1),
    ],
)
def test_only_a_test_of_processes_gets_a_second_try(
    nodeid: str, marks: list[str], tries: int
) -> None:
    found = FoundTest(nodeid, *marks)
    allow_second_try([found])  # type: ignore[list-item]
    again = found.marks.get("flaky")
    assert (again.kwargs["reruns"] if again else 0) == tries - 1
