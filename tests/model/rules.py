"""What rules are made of: what they draw and pick, and how a refusal is expected."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

from hypothesis import stateful
from hypothesis import strategies as st

from tests.model.both import KETTLE, MUG
from tests.model.paper_order import ASKS, CARDS, GOOD

who = st.sampled_from(["alice", "bob", "guest"])
skus = st.sampled_from([MUG, KETTLE])
cards = st.sampled_from([GOOD, GOOD, ASKS, *CARDS])
codes = st.sampled_from(
    [(), (), (), ("ONCE",), ("MINE",), ("MINE",), ("GIFT",), ("GIFT", "POSTAGE"), ("ONCE", "MINE")]
)
baskets = st.dictionaries(skus, st.sampled_from([1, 1, 2, 3]), min_size=1)
number = st.integers(0, 9)
points = st.integers(0, 12)
fates = st.sampled_from(["lives", "lives", "dies", "freezes"])

RULES: set[str] = set()


def rule(**given: Any) -> Callable[[Any], Any]:
    """Hypothesis's rule, listed in RULES besides, so that `about` knows what to leave out."""

    def of(happens: Any) -> Any:
        RULES.add(happens.__name__)
        return stateful.rule(**given)(happens)

    return of


class EveryRule:
    """Stands where Hypothesis keeps which rules a story may use."""

    def is_enabled(self, name: str) -> bool:
        return True


def pick(some: list[Any], which: int) -> Any:
    """The one at place `which`, modulo how many there are."""
    return some[which % len(some)]


@contextlib.contextmanager
def refusal(kind: type[Exception]) -> Iterator[None]:
    """The shop has to say no, in this way and in no other."""
    try:
        yield
    except kind:
        return
    raise AssertionError(f"{kind.__name__} was due, and nothing was refused")
