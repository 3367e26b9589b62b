"""The calls of a payment gateway that the shop needs: the protocol that Stripe's client fulfils.

Every mutating call takes a `key` (idempotency key) from a row of ours that was written before.
Calling again with the same key and arguments never moves money twice, for at least 24 hours.
Each raises the errors of gateway_errors.py. Amounts are in the shop's minor units, whatever the
gateway counts in (gateway_amounts.py).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any, Protocol

from apps.payments.gateway_answers import Change, GatewayRefund, Intent
from apps.payments.order_details import NO_DETAILS, OrderDetails


class Gateway(Protocol):
    """What the shop needs from a card processor. Safe to share between threads."""

    def admit(self) -> Gateway:
        """The gateway for one request of ours, which may take several calls: all will be sent.

        For requests that move money. Raises GatewayCircuitOpen, or GatewayReadOnly, before anything
        is stored or sent for the request.
        """

    def that_can_wait(self) -> Gateway:
        """The gateway for calls that no shopper waits for: they leave the limits to the others."""

    def authorize(
        self,
        *,
        key: str,
        amount: int,
        currency: str,
        payment_method: str,
        metadata: Mapping[str, str],
        return_url: str,
        details: OrderDetails = NO_DETAILS,
    ) -> Intent:
        """Authorize `amount` on a card; `capture` takes the money later.

        `metadata` carries `payment_id` and `order_id`, by which `find` recognises the payment, and
        the mark of this `shop`: others may use the same account. `details` are of the order, for
        fraud checks and disputes; what the gateway does not take of them costs no payment.
        Returns REQUIRES_CAPTURE, REQUIRES_ACTION (send the shopper to `next_action_url`; the
        gateway sends them back to `return_url`) or PROCESSING.
        """

    def capture(self, intent_id: str, *, key: str, amount: int, currency: str) -> Intent:
        """Take authorized money. To capture less than authorized releases the rest for good."""

    def void(self, intent_id: str, *, key: str) -> Intent:
        """Cancel a payment that was not captured; releases the authorized amount."""

    def refund(
        self,
        intent_id: str,
        *,
        key: str,
        amount: int,
        currency: str,
        metadata: Mapping[str, str],
    ) -> GatewayRefund:
        """Send captured money back. Raises GatewayRefused for more than is left of the capture."""

    def retrieve(self, intent_id: str) -> Intent:
        """The payment as it is now."""

    def card_of(self, payment_method: str) -> str:
        """The fingerprint of a payment method's card; empty when it has none."""

    def search(self, *, payment_id: str) -> Intent | None:
        """The payment that carries our `payment_id`. Quick; None proves nothing."""

    def find(
        self, *, payment_id: str, created_after: datetime, created_before: datetime | None = None
    ) -> Intent | None:
        """The payment that carries our `payment_id`, or None when the gateway has none.

        `created_after` is the time of the first attempt. `created_before`, if the attempts are
        known to have ended, keeps the search short.
        """

    def list_intents(
        self,
        *,
        created_after: datetime,
        created_before: datetime | None = None,
        behind: str | None = None,
    ) -> Iterator[Intent]:
        """Every payment created in this time, newest first, both bounds included, by seconds.

        Fetched in pages of `PAGE`, as they are needed. `behind` is the id of a payment from an
        earlier answer: the list continues with the one after it.
        """

    def list_changes(self, *, since: datetime, behind: str | None = None) -> Iterator[Change]:
        """Refunds, cancellations and disputes, newest first; the gateway keeps them for 30 days.

        `behind` is the id of a change from an earlier answer.
        """

    def retrieve_refunds(self, intent_id: str) -> list[GatewayRefund]:
        """Every refund of a payment, newest first."""

    def read_intent(self, shown: Mapping[str, Any]) -> Intent:
        """A payment from a webhook's payload. No call; raises KeyError or ValueError."""

    def read_refund(self, shown: Mapping[str, Any]) -> GatewayRefund:
        """A refund from a webhook's payload. No call; raises KeyError or ValueError."""
