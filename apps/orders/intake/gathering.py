"""How long checkouts gather before the next commit.

A commit of two orders costs hardly less than one of twenty: a shop that is half busy must not spend
on small commits what its workers need. So there is a shortest time from the start of one commit to
the start of the next, and a longer one while only a few wait. Two things make it shorter for a
small crowd, to which it is nothing but waiting:

- A commit that takes long shows that the machine is busy. While commits are quick, the longer time
  is REST times what they take, so that they never take more than a small part of the time.
- Whoever was answered just now and is back already has nobody else to wait for: when as many have
  come at once as were answered, they are committed at once. The next commit is as large as the last
  one was, so that an order costs no more.

A single request after a pause does not wait at all.
"""

from dataclasses import dataclass

SHORTEST = 0.02  # seconds from the start of one commit to the start of the next
LONGEST_FOR_A_FEW = 0.06
A_FEW = 8
REST = 10.0
COME_BACK_IN = 0.008  # seconds after the answer
FORGETS_IN = 8  # commits; what they take is an average of about so many


@dataclass(slots=True)
class Gathering:
    """The state between two commits of one process. Times are in seconds of one clock."""

    took: float = LONGEST_FOR_A_FEW / REST
    _began: float = 0.0
    _ended: float = 0.0
    _answered: int = 0
    _waited: int = 0

    def committed(self, *, began: float, ended: float, answered: int, waiting: int) -> None:
        """A commit is over; `waiting` came while it ran."""
        self._began, self._ended = began, ended
        self._answered, self._waited = answered, waiting
        self.took += (ended - began - self.took) / FORGETS_IN

    def is_over(self, now: float, waiting: int) -> bool:
        """Whether to commit now what waits, or, when nothing does, what comes next."""
        if (
            self._answered < A_FEW
            and waiting - self._waited >= self._answered
            and now <= self._ended + COME_BACK_IN
        ):
            return True
        since = now - self._began
        if since >= min(LONGEST_FOR_A_FEW, max(SHORTEST, self.took * REST)):
            return True
        return since >= SHORTEST and not 0 < waiting < A_FEW

    def look_again_in(self, now: float) -> float:
        """Seconds until it is worth asking again: often while those who were answered come back."""
        return COME_BACK_IN / 5 if now <= self._ended + COME_BACK_IN else SHORTEST / 4
