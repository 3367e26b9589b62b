"""Stripe's rate limits, for tests that ask for them: `POST /_sandbox/limits`.

https://docs.stripe.com/rate-limits: so many requests a second for each named operation, and for
the account in all. What is over the limit is answered 429 before anything else is looked at. The
header says which limit it was. Off until it is asked for.
"""

from __future__ import annotations

import time
from collections import Counter, defaultdict, deque
from typing import Any

from tools.stripe_sandbox.protocol import ApiError

WINDOW_S = 1.0


class RateLimits:
    """Counts the requests of the last second. `refused` counts the 429s by operation."""

    def __init__(self) -> None:
        self.replace({})

    def replace(self, wanted: dict[str, Any]) -> None:
        """`{"endpoint_per_s": 25, "total_per_s": 100, "retry_after_s": 2}`; 0 or left out: none."""
        self.endpoint_per_s = int(wanted.get("endpoint_per_s") or 0)
        self.total_per_s = int(wanted.get("total_per_s") or 0)
        self.retry_after_s = wanted.get("retry_after_s")
        self.refused: Counter[str] = Counter()
        self.taken: Counter[str] = Counter()
        self._seen: defaultdict[str, deque[float]] = defaultdict(deque)

    def shown(self) -> dict[str, Any]:
        return {
            "endpoint_per_s": self.endpoint_per_s,
            "total_per_s": self.total_per_s,
            "retry_after_s": self.retry_after_s,
            "taken": dict(self.taken),
            "refused": dict(self.refused),
        }

    def check(self, operation: str) -> None:
        """Count a request. Raises ApiError 429 when it is over a limit."""
        if not self.endpoint_per_s and not self.total_per_s:
            return
        limits = (
            ("global-rate", "", self.total_per_s),
            ("endpoint-rate", operation, self.endpoint_per_s),
        )
        now = time.monotonic()
        for reason, name, most in limits:
            seen = self._seen[name]
            while seen and seen[0] <= now - WINDOW_S:
                seen.popleft()
            if most and len(seen) >= most:
                self.refused[operation] += 1
                raise self._too_many(reason)
        for _, name, _ in limits:
            self._seen[name].append(now)
        self.taken[operation] += 1

    def _too_many(self, reason: str) -> ApiError:
        headers = {"stripe-rate-limited-reason": reason}
        if self.retry_after_s is not None:
            headers["retry-after"] = str(self.retry_after_s)
        return ApiError(
            429,
            "Request rate limit exceeded. You can learn more about rate limits here "
            "https://docs.stripe.com/rate-limits.",
            code="rate_limit",
            headers=headers,
        )
