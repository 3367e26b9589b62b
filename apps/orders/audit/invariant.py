"""What an invariant is, and what is found when it is checked."""

from dataclasses import dataclass

SHOWN = 20  # violations named per invariant


@dataclass(frozen=True, slots=True)
class Invariant:
    """A statement that always holds.

    query: SQL that selects (what, detail), one row per violation. Parameters: `grace`, an interval,
        and `refund_attempts`, after how many a refund waits for a person.
    liveness: holds once a disturbance is over and things had their time. Without it: always.
    """

    number: int
    name: str
    query: str
    liveness: bool = False


@dataclass(frozen=True, slots=True)
class Finding:
    """The result for one invariant.

    violations: how many there are; `examples` names up to SHOWN of them.
    left_be: violations that do not count, because a person has decided to leave them as they are.
    """

    number: int
    name: str
    liveness: bool
    violations: int
    examples: tuple[str, ...]
    left_be: tuple[str, ...] = ()

    @property
    def holds(self) -> bool:
        return self.violations == 0
