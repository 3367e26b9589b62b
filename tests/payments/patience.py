"""How long a test's gateway waits for an answer: long, unless the test is about one that hangs.

A machine that others use too may answer half a second late. A gateway that gave up then would make
another story of the purchase.
"""

import pytest

LONG = 8.0  # seconds; as the shop itself
SHORT = 0.4


def patience_of(test: pytest.FixtureRequest) -> float:
    """Seconds: SHORT where one of the test's parameters names a time-out, else LONG."""
    case = getattr(test.node, "callspec", None)
    values = case.params.values() if case else ()
    return SHORT if any("timeout" in str(value) for value in values) else LONG
