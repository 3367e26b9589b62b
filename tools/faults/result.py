"""The outcome of one fault: what was counted, measured, and found wrong."""

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from tools.faults.answer_log import ACCEPTED, AGAIN, REPLAYED, AnswerLog


@dataclass(slots=True)
class FaultResult:
    """The outcome of one fault, or of several at once. Moments are time.time(), `_s` seconds."""

    name: str
    action: str
    expected: str
    began_at: float = 0.0
    healed_at: float = 0.0
    rested_at: float = 0.0
    accepted: int = 0
    attempts: dict[str, int] = field(default_factory=dict)
    codes: dict[str, int] = field(default_factory=dict)
    replays: int = 0
    struck: dict[str, int] = field(default_factory=dict)
    p99_s: float | None = None
    first_accepted_s: float | None = None
    recovery_s: float | None = None
    notes: dict[str, Any] = field(default_factory=dict)
    wrong: list[str] = field(default_factory=list)
    not_run: str = ""

    @property
    def verdict(self) -> str:
        return "not run" if self.not_run else "red" if self.wrong else "green"

    def count(self, log: AnswerLog, *, until: float) -> None:
        """Take the numbers of this fault from the clients' log; `until` is when it was over."""
        attempts = [a for a in log.attempts if self.began_at <= a.at <= until]
        self.attempts = dict(Counter(attempt.outcome for attempt in attempts))
        self.codes = dict(Counter(attempt.code for attempt in attempts if attempt.code))
        self.accepted = log.accepted_between(self.began_at, until)
        self.replays = sum(self.began_at <= at <= until for at in log.replays)
        during = sorted(
            attempt.seconds
            for attempt in attempts
            if attempt.at <= self.healed_at and attempt.outcome in (ACCEPTED, REPLAYED)
        )
        if during:
            self.p99_s = round(during[min(len(during) - 1, int(len(during) * 0.99))], 3)


def summary(row: FaultResult) -> str:
    """The result in one line for the terminal, with at most eight of its errors below."""
    mark = {"green": "ok ", "red": "RED"}[row.verdict]
    seen = [f"{row.accepted} accepted"]
    seen += [
        f"{count} {outcome}" for outcome, count in sorted(row.attempts.items()) if outcome in AGAIN
    ]
    if row.replays:
        seen.append(f"{row.replays} replays compared")
    if row.struck:
        seen.append(f"{sum(row.struck.values())} struck")
    lasted = row.healed_at - row.began_at
    rest = "not at rest" if row.recovery_s is None else f"at rest in {row.recovery_s:.1f} s"
    line = f"  {mark}  {row.name:24} {lasted:5.1f} s, {rest}; {', '.join(seen)}"
    return "\n".join([line, *(f"         {text}" for text in row.wrong[:8])])
