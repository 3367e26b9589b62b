"""A payment gateway behind the circuit breaker: the same protocol, each call admitted first."""

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from apps.payments.circuit import AdmittedRequest, Circuit
from apps.payments.gateway_answers import Change, GatewayRefund, Intent
from apps.payments.gateway_protocol import Gateway
from apps.payments.order_details import NO_DETAILS, OrderDetails


class BreakerGateway:
    """Sends each call through the circuit (circuit.py); raises GatewayCircuitOpen besides.

    `circuit`: of one admitted request (`admit`); without it a circuit of its own.
    """

    def __init__(self, gateway: Gateway, circuit: Circuit | AdmittedRequest | None = None) -> None:
        self._gateway = gateway
        self._circuit = circuit or Circuit()

    def admit(self) -> "BreakerGateway":
        return BreakerGateway(self._gateway.admit(), self._circuit.admit())

    def that_can_wait(self) -> "BreakerGateway":
        return BreakerGateway(self._gateway.that_can_wait(), self._circuit)

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
        with self._circuit.calling():
            return self._gateway.authorize(
                key=key,
                amount=amount,
                currency=currency,
                payment_method=payment_method,
                metadata=metadata,
                return_url=return_url,
                details=details,
            )

    def capture(self, intent_id: str, *, key: str, amount: int, currency: str) -> Intent:
        with self._circuit.calling():
            return self._gateway.capture(intent_id, key=key, amount=amount, currency=currency)

    def void(self, intent_id: str, *, key: str) -> Intent:
        with self._circuit.calling():
            return self._gateway.void(intent_id, key=key)

    def refund(
        self,
        intent_id: str,
        *,
        key: str,
        amount: int,
        currency: str,
        metadata: Mapping[str, str],
    ) -> GatewayRefund:
        with self._circuit.calling():
            return self._gateway.refund(
                intent_id, key=key, amount=amount, currency=currency, metadata=metadata
            )

    def retrieve(self, intent_id: str) -> Intent:
        with self._circuit.calling():
            return self._gateway.retrieve(intent_id)

    def card_of(self, payment_method: str) -> str:
        with self._circuit.calling():
            return self._gateway.card_of(payment_method)

    def search(self, *, payment_id: str) -> Intent | None:
        with self._circuit.calling():
            return self._gateway.search(payment_id=payment_id)

    def find(
        self, *, payment_id: str, created_after: datetime, created_before: datetime | None = None
    ) -> Intent | None:
        with self._circuit.calling():
            return self._gateway.find(
                payment_id=payment_id, created_after=created_after, created_before=created_before
            )

    def list_intents(
        self,
        *,
        created_after: datetime,
        created_before: datetime | None = None,
        behind: str | None = None,
    ) -> Iterator[Intent]:
        with self._circuit.calling():
            yield from self._gateway.list_intents(
                created_after=created_after, created_before=created_before, behind=behind
            )

    def list_changes(self, *, since: datetime, behind: str | None = None) -> Iterator[Change]:
        with self._circuit.calling():
            yield from self._gateway.list_changes(since=since, behind=behind)

    def retrieve_refunds(self, intent_id: str) -> list[GatewayRefund]:
        with self._circuit.calling():
            return self._gateway.retrieve_refunds(intent_id)

    def read_intent(self, shown: Mapping[str, Any]) -> Intent:
        return self._gateway.read_intent(shown)

    def read_refund(self, shown: Mapping[str, Any]) -> GatewayRefund:
        return self._gateway.read_refund(shown)
