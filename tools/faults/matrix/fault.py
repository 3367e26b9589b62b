"""What one line of the fault table consists of, and what its functions are given."""

import random
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from tools.faults.answer_log import AnswerLog
from tools.faults.shop import Shop
from tools.faults.shoppers import Shoppers


@dataclass(slots=True)
class FaultContext:
    """What the functions of a fault are given.

    `notes` belongs to this fault and lasts from `inject` to `check`. `dice` is seeded. Moments are
    time.time(). What is entered into `held` is closed by the fault's own `heal`.
    """

    shop: Shop
    shoppers: Shoppers
    answers: AnswerLog
    dice: random.Random
    began_at: float = 0.0
    healed_at: float = 0.0
    notes: dict[str, Any] = field(default_factory=dict)
    held: ExitStack = field(default_factory=ExitStack)


Action = Callable[[FaultContext], None]


def nothing(context: FaultContext) -> None:
    """For a fault that ends by itself."""


def never(context: FaultContext) -> bool:
    return False


def nothing_wrong(context: FaultContext) -> Iterable[str]:
    return ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One line of the table.

    `action` and `expected` say in words what is done and what must come out. `inject` breaks,
    `heal` heals, after `seconds` at most or as soon as `until` is true; `check` yields what only
    this fault could have left wrong. `sells`: orders must be accepted all the time. `combines`: may
    be combined with others that break another `target`. `missing` says why it cannot be run on this
    machine. `short_holds`: run with holds of seconds. `patience` is the time until all orders must
    be at rest again.
    """

    name: str
    target: str
    action: str
    expected: str
    inject: Action
    heal: Action
    seconds: float
    until: Callable[[FaultContext], bool] = never
    check: Callable[[FaultContext], Iterable[str]] = nothing_wrong
    sells: bool = True
    short_holds: bool = False
    combines: bool = True
    missing: Callable[[], str] = str
    patience: timedelta = timedelta(seconds=240)
