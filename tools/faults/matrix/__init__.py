"""Every fault: what is done, how it is healed, what must come out.

`FAULTS` is the table, put together from one module for each kind of fault. A line of it names two
functions, one that breaks and one that heals, and in words what is expected. What is expected of
every fault is not repeated: the invariants hold at every instant, no accepted order is lost, no
customer is charged twice (also not those whose first card is declined and who pay again), and once
it is healed every order comes to its end and none to the review queue.
"""

import random
from collections.abc import Iterator

from tools.faults.matrix import (
    clocks,
    crash_points,
    gateway,
    holds,
    poison,
    postgres,
    processes,
    redis,
    slow_clients,
    webhooks,
)
from tools.faults.matrix.fault import Fault

# The order counts: combinations are drawn from this list by the seed.
FAULTS: tuple[Fault, ...] = (
    *crash_points.FAULTS,
    *processes.WORKERS,
    *poison.FAULTS,
    *processes.RELEASES,
    *slow_clients.FAULTS,
    *redis.FAULTS,
    *postgres.FAULTS,
    *gateway.FAULTS,
    *webhooks.FAULTS,
    *holds.FAULTS,
    *clocks.FAULTS,
)
BY_NAME = {fault.name: fault for fault in FAULTS}


def combinations(seed: int) -> Iterator[tuple[Fault, ...]]:
    """Two or three at once, without end; the same for the same seed."""
    dice = random.Random(f"combinations {seed}")
    able = [fault for fault in FAULTS if fault.combines]
    while True:
        together = dice.sample(able, dice.choice((2, 2, 3)))
        if len({fault.target for fault in together}) == len(together):
            yield tuple(together)
