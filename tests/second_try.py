"""Tests that wait for processes of a running shop get a second try; no other test does.

Such a test asks several processes for an answer within a time, on a machine that others use too.
A test that fails twice in a row fails. A test marked `race`, or of deaths (tests/crashes), gets no
second try: one failure in twenty is what it is there to find. The end of the run lists what passed
only the second time (R).
"""

from collections.abc import Iterable

import pytest

from tests.groups import group_of, starts_a_shop

TRIES_AGAIN = 1
DEATHS = "tests/crashes/"
PAUSE = 5  # seconds: what made the machine slow may be over by then


def allow_second_try(items: Iterable[pytest.Item]) -> None:
    """Mark those of `items` that start processes of the shop for one more try."""
    for item in items:
        path = item.nodeid.partition("::")[0]
        looks_for_rare_faults = path.startswith(DEATHS) or item.get_closest_marker("race")
        if starts_a_shop(group_of(path)) and not looks_for_rare_faults:
            item.add_marker(pytest.mark.flaky(reruns=TRIES_AGAIN, reruns_delay=PAUSE))
