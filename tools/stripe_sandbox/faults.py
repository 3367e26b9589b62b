"""Faults on purpose: which request or webhook fails, and how.

Three ways to cause one. By metadata of the payment, for a single order:

    sandbox_fault=timeout_after              while creating or confirming it, every time
    sandbox_fault=error_500_before:2         the first two tries only
    sandbox_fault_capture=reset_after:1      while capturing; also _cancel, _refund, _confirm
    sandbox_fault=webhook_duplicate:50,webhook_reorder

by the payment token, for clients that can only choose the card; it behaves as pm_card_visa:

    pm_sandbox_timeout_after                 the same as the first line above
    pm_sandbox_error_500_before_2            the second
    pm_sandbox_capture_reset_after_1__webhook_duplicate_50

or by rules from `POST /_sandbox/faults`, for a share of the traffic (see docs/sandbox.md).
The number after a request fault is how often it applies; behind `webhook_duplicate` it is the
copies, after `latency` and `webhook_delay` the milliseconds.
"""

from __future__ import annotations

import random
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from fnmatch import fnmatchcase
from typing import Any

from tools.stripe_sandbox.protocol import ApiError, Call


class Fault(StrEnum):
    """What can go wrong. "Before" and "after" are before and after executing."""

    LATENCY = "latency"
    TIMEOUT_BEFORE = "timeout_before"
    TIMEOUT_AFTER = "timeout_after"
    ERROR_500_BEFORE = "error_500_before"
    ERROR_500_AFTER = "error_500_after"
    CONFLICT_409 = "conflict_409"
    RATE_LIMIT_429 = "rate_limit_429"
    RESET_BEFORE = "reset_before"
    RESET_AFTER = "reset_after"
    OUTAGE = "outage"
    WEBHOOK_BEFORE_ANSWER = "webhook_before_answer"
    WEBHOOK_DUPLICATE = "webhook_duplicate"
    WEBHOOK_REORDER = "webhook_reorder"
    WEBHOOK_DELAY = "webhook_delay"
    WEBHOOK_DROP = "webhook_drop"


BEFORE = frozenset(
    {
        Fault.TIMEOUT_BEFORE,
        Fault.ERROR_500_BEFORE,
        Fault.CONFLICT_409,
        Fault.RATE_LIMIT_429,
        Fault.RESET_BEFORE,
        Fault.OUTAGE,
    }
)
AFTER = frozenset({Fault.TIMEOUT_AFTER, Fault.ERROR_500_AFTER, Fault.RESET_AFTER})

_DEFAULT_NUMBER = {Fault.WEBHOOK_DUPLICATE: 2, Fault.WEBHOOK_DELAY: 2000, Fault.LATENCY: 1000}
# Tokens come from any shopper: no test needs a delay of a day, or a million copies.
_MOST = 600_000
_MOST_COPIES = 1000
PAID_WITH = "pm_sandbox_"
_WORD = re.compile(
    rf"(?:(confirm|capture|cancel|refund)_)?({'|'.join(sorted(Fault, key=len, reverse=True))})"
    r"(?:_([0-9]+))?"
)
_METADATA_KEY = {
    "payment_intents.create": "sandbox_fault",
    "payment_intents.confirm": "sandbox_fault_confirm",
    "payment_intents.capture": "sandbox_fault_capture",
    "payment_intents.cancel": "sandbox_fault_cancel",
    "refunds.create": "sandbox_fault_refund",
}


@dataclass(slots=True)
class Rule:
    """A share of the traffic that fails. It ends after `count` failures or past `until`."""

    fault: Fault
    operations: tuple[str, ...] = ("*",)
    metadata: Mapping[str, str] = field(default_factory=dict)
    probability: float = 1.0
    number: int | None = None
    count: int | None = None
    until: float | None = None
    struck: int = 0

    def matches(self, operation: str, metadata: Mapping[str, str]) -> bool:
        if self.count is not None and self.struck >= self.count:
            return False
        if self.until is not None and time.monotonic() > self.until:
            return False
        if any(metadata.get(key) != value for key, value in self.metadata.items()):
            return False
        return any(fnmatchcase(operation, pattern) for pattern in self.operations)

    def shown(self) -> dict[str, Any]:
        return {
            "fault": self.fault,
            "operations": list(self.operations),
            "metadata": dict(self.metadata),
            "probability": self.probability,
            "number": self.number,
            "count": self.count,
            "remaining_s": None if self.until is None else max(0, self.until - time.monotonic()),
            "struck": self.struck,
        }


@dataclass(frozen=True, slots=True)
class Chosen:
    """What goes wrong with one call: at most one fault before, one after, any with webhooks."""

    before: Fault | None = None
    after: Fault | None = None
    latency_s: float = 0.0
    webhooks: Mapping[Fault, int] = field(default_factory=dict)


NOTHING = Chosen()


class Faults:
    def __init__(self) -> None:
        self.rules: list[Rule] = []
        self._dice = random.Random()
        self._struck: dict[tuple[str, str, Fault], int] = {}

    def replace(self, rules: list[Rule], *, seed: int | None) -> None:
        self.rules = rules
        self._dice = random.Random(seed)
        self._struck.clear()

    def choose(self, call: Call, metadata: Mapping[str, str]) -> Chosen:
        """Pick the faults of a call, counting each as struck."""
        if not self.rules and not any(key.startswith("sandbox_fault") for key in metadata):
            return NOTHING
        before: Fault | None = None
        after: Fault | None = None
        latency_ms = 0
        webhooks: dict[Fault, int] = {}
        for fault, number in self._from_metadata(call, metadata) + self._from_rules(
            call.operation, metadata
        ):
            if fault in BEFORE:
                before = before or fault
            elif fault in AFTER:
                after = after or fault
            else:
                number = _DEFAULT_NUMBER.get(fault, 1) if number is None else number
                if fault is Fault.LATENCY:
                    latency_ms += number
                else:
                    webhooks[fault] = number
        return Chosen(before, after, latency_ms / 1000, webhooks)

    def _from_metadata(
        self, call: Call, metadata: Mapping[str, str]
    ) -> list[tuple[Fault, int | None]]:
        own = _METADATA_KEY.get(call.operation)
        found: list[tuple[Fault, int | None]] = []
        for key in dict.fromkeys((own, "sandbox_fault")):
            if key is None or key not in metadata:
                continue
            for fault, number in parse(metadata[key]):
                if fault is Fault.LATENCY and key != own:
                    continue
                if fault in BEFORE or fault in AFTER:
                    if key != own:
                        continue
                    tally = (call.id or call.key or call.request_id, call.operation, fault)
                    struck = self._struck.get(tally, 0)
                    if number is not None and struck >= number:
                        continue
                    self._struck[tally] = struck + 1
                found.append((fault, number))
        return found

    def _from_rules(
        self, operation: str, metadata: Mapping[str, str]
    ) -> list[tuple[Fault, int | None]]:
        found: list[tuple[Fault, int | None]] = []
        for rule in self.rules:
            if rule.matches(operation, metadata) and self._dice.random() < rule.probability:
                rule.struck += 1
                found.append((rule.fault, rule.number))
        return found


def parse(text: str) -> list[tuple[Fault, int | None]]:
    """`"timeout_after:1,webhook_drop"` to faults and numbers. Unknown names are refused."""
    found: list[tuple[Fault, int | None]] = []
    for word in text.split(","):
        name, _, number = word.strip().partition(":")
        try:
            fault = Fault(name)
            found.append((fault, _checked(fault, int(number)) if number else None))
        except ValueError as error:
            raise _unknown(word, param="metadata") from error
    return found


def metadata_of_token(token: Any) -> dict[str, str]:
    """The faults that a `pm_sandbox_…` token stands for, as metadata; nothing for other tokens.

    Words are joined by two underscores; each is a fault, perhaps the operation before it, perhaps
    a number behind it. The form is what a shop lets through as a PaymentMethod's id.
    """
    if not isinstance(token, str) or not token.startswith(PAID_WITH):
        return {}
    found: dict[str, list[str]] = {}
    for word in token.removeprefix(PAID_WITH).split("__"):
        match = _WORD.fullmatch(word)
        if match is None:
            raise _unknown(word, param="payment_method")
        operation, name, number = match.groups()
        try:
            shown = f"{name}:{_checked(Fault(name), int(number))}" if number else name
        except ValueError as error:
            raise _unknown(word, param="payment_method") from error
        found.setdefault(f"sandbox_fault_{operation}" if operation else "sandbox_fault", []).append(
            shown
        )
    return {key: ",".join(faults) for key, faults in found.items()}


def _checked(fault: Fault, number: int) -> int:
    most = _MOST_COPIES if fault is Fault.WEBHOOK_DUPLICATE else _MOST
    if not 0 <= number <= most:
        raise ValueError(f"{fault} takes a number from 0 to {most}")
    return number


def _unknown(word: str, *, param: str) -> ApiError:
    return ApiError(
        400,
        f"Unknown sandbox fault: {word}. Known: {', '.join(Fault)}",
        code="sandbox_unknown_fault",
        param=param,
    )


def rule_from(wanted: Mapping[str, Any]) -> Rule:
    """A rule from the control endpoint's JSON. Raises ValueError naming what is wrong."""
    known = {"fault", "operations", "metadata", "probability", "number", "count", "for_s"}
    if unknown := set(wanted) - known:
        raise ValueError(f"unknown fields: {', '.join(sorted(unknown))}")
    if wanted.get("fault") not in set(Fault):
        raise ValueError(f"fault must be one of {', '.join(Fault)}")
    probability = float(wanted.get("probability", 1.0))
    if not 0 <= probability <= 1:
        raise ValueError("probability must be between 0 and 1")
    for_s = wanted.get("for_s")
    fault, number, count = Fault(wanted["fault"]), wanted.get("number"), wanted.get("count")
    for name, value in (("number", number), ("count", count)):
        if value is not None and (not isinstance(value, int) or isinstance(value, bool)):
            raise ValueError(f"{name} must be a whole number")
    return Rule(
        fault=fault,
        operations=tuple(wanted.get("operations") or ("*",)),
        metadata=dict(wanted.get("metadata") or {}),
        probability=probability,
        number=None if number is None else _checked(fault, number),
        count=count,
        until=None if for_s is None else time.monotonic() + float(for_s),
    )
