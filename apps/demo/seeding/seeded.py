"""What a run of seed_demo has created."""

from dataclasses import dataclass, field


@dataclass
class Seeded:
    """How many rows of each kind were created; all zero on a second run."""

    made: dict[str, int] = field(default_factory=dict)

    def count(self, kind: str, number: int = 1) -> None:
        """Add `number` created rows of `kind`."""
        self.made[kind] = self.made.get(kind, 0) + number
