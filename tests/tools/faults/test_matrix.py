"""The table of faults: complete, and repeatable."""

import itertools
import re
from pathlib import Path

from django.conf import settings

from apps.core import failpoints
from tools.faults.matrix import BY_NAME, FAULTS, combinations
from tools.faults.matrix.crash_points import NOT_REACHED, points
from tools.faults.purchases import LoadSettings, purchases

# What the shop promises to survive (docs/invariants.md), and the lines that put it to the test.
PROMISED = {
    "a process dies before or after any commit": (
        *("crash-intake", "crash-saga", "crash-twice", "crash-elsewhere", "crash-reconciler"),
    ),
    "a worker dies anywhere in a step": ("worker-killed", "worker-child-killed"),
    "a worker freezes past its lease and wakes": ("zombie",),
    "one order fails at every attempt": ("poison-order",),
    "a deploy, and a sweep that is dead or doubled": (
        *("deploy", "sweeper-dead", "sweeper-doubled"),
    ),
    "clients that hold connections": (
        *("slow-bodies", "slow-heads", "slow-streams", "half-open-sockets"),
    ),
    "Redis frozen, killed, emptied or full": (
        *("redis-frozen", "redis-killed", "redis-emptied", "redis-full"),
    ),
    "PostgreSQL killed, cut off, slow, frozen or full": (
        *("postgres-killed", "postgres-reset", "postgres-slow", "postgres-frozen"),
        *("connections-used-up", "stock-rows-locked"),
    ),
    "COMMIT's answer lost": ("commit-answer-lost",),
    "carts in opposite SKU order": ("opposite-carts",),
    "the gateway in trouble": (
        *("gateway-timeout-before", "gateway-timeout-after", "gateway-500-after", "gateway-409"),
        *("gateway-429", "gateway-reset", "gateway-outage"),
    ),
    "an outage longer than the hold, a success after it": (
        *("outage-longer-than-hold", "success-after-hold"),
    ),
    "a webhook fifty times, early, reordered, never": (
        *("webhook-fiftyfold", "webhook-early", "webhook-reordered", "webhook-never"),
    ),
    "a forged webhook": ("webhook-forged",),
    "a worker's clock is wrong": ("clock-ahead", "clock-behind"),
    "the gateway forgets a key": ("gateway-forgets-keys",),
}


def test_every_promise_has_a_fault_and_every_fault_belongs_to_a_promise() -> None:
    tested = [name for names in PROMISED.values() for name in names]
    assert sorted(tested) == sorted(BY_NAME)
    assert len(FAULTS) == len(BY_NAME)


def test_every_fault_says_how_it_breaks_how_it_heals_and_what_must_come_out() -> None:
    for fault in FAULTS:
        assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", fault.name)
        assert callable(fault.inject)
        assert callable(fault.heal)
        assert len(fault.action) > 10
        assert len(fault.expected) > 10
        assert fault.seconds > 0


def test_every_crash_point_is_armed_by_a_fault_or_listed_as_not_reached() -> None:
    areas = ("intake.", "saga.", "inbox.", "refund.", "mail.", "reconcile.")
    beyond = {name for name in failpoints.declared() if name.startswith(NOT_REACHED)}
    assert set(points(*areas)) | beyond == set(failpoints.declared())
    assert all(points(area) for area in areas)


def test_the_documentation_has_a_line_for_every_fault() -> None:
    page = (Path(settings.BASE_DIR) / "docs" / "faults.md").read_text()
    assert [name for name in BY_NAME if f"`{name}`" not in page] == []


def test_combinations_are_the_same_for_the_same_seed_and_break_different_targets() -> None:
    first, again, other = (list(itertools.islice(combinations(seed), 40)) for seed in (7, 7, 8))
    assert first == again
    assert first != other
    for together in first:
        assert len({fault.target for fault in together}) == len(together) >= 2
        assert all(fault.combines for fault in together)


def test_shoppers_want_the_same_for_the_same_seed() -> None:
    first, again, other = (
        list(itertools.islice(purchases(seed, LoadSettings()), 200)) for seed in (7, 7, 8)
    )
    assert first == again
    assert first != other
    assert len({purchase.key for purchase in first}) == 200
