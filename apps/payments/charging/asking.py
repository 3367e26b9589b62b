"""Sends many requests at once. Every failure of one becomes a GatewayResult of that one."""

import logging
import os
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import replace
from functools import partial

from apps.payments.charging.messages import (
    ENDED,
    GatewayKeySpent,
    GatewayRequest,
    GatewayResult,
    named,
)
from apps.payments.facts import Contradiction, PaymentFact
from apps.payments.gateway import (
    GatewayRefused,
    GatewayThrottled,
    GatewayTransient,
    PaymentDeclined,
    get_gateway,
)
from apps.payments.models import Payment

logger = logging.getLogger(__name__)

CONCURRENT_CALLS = 128  # per process; a batch of the saga is sent in one go
HEARTBEAT_S = 5


def ask(
    requests: list[GatewayRequest], *, heartbeat: Callable[[], None] | None = None
) -> list[GatewayResult]:
    """Send all requests at once; the results in the same order, each after those of its `first`.

    A failure of the gateway is a result here, never an exception.

    `heartbeat` is called every HEARTBEAT_S seconds while a result is awaited.
    """
    futures: list[Future[list[GatewayResult]]] = [
        _threads().submit(_ask_in_turn, request) for request in requests
    ]
    waiting = set(futures)
    while waiting:
        _, waiting = wait(waiting, timeout=HEARTBEAT_S)
        if waiting and heartbeat is not None:
            heartbeat()
    return [result for future in futures for result in future.result()]


def _ask_in_turn(request: GatewayRequest) -> list[GatewayResult]:
    """The results of a request's `first`, then its own."""
    results: list[GatewayResult] = []
    for earlier in request.first:
        result = _ask_one(earlier)
        results.append(result)
        if not any(fact.status in ENDED for fact in result.facts):
            # An earlier card may still be charged. Asking another one now could charge both.
            return [*results, _not_asked(request, result)]
    return [*results, _ask_one(request)]


def _not_asked(request: GatewayRequest, earlier: GatewayResult) -> GatewayResult:
    why = earlier.transient or earlier.broken or earlier.refused or "an earlier attempt is open"
    return GatewayResult(
        request.payment.pk,
        request.payment.order_id,
        request.purpose,
        transient=why,
        contradiction=earlier.contradiction,
        turned_away=True,
    )


def _ask_one(request: GatewayRequest) -> GatewayResult:
    payment, started = request.payment, time.monotonic()
    result = partial(
        GatewayResult,
        payment.pk,
        payment.order_id,
        request.purpose,
        key=payment.key(request.purpose),
    )
    if request.turned_away:
        return result(transient=request.turned_away, turned_away=True)
    try:
        answer = request.call(request.gateway or get_gateway(), payment)
    except PaymentDeclined as declined:
        answer = result(facts=(_fact_of_decline(payment, declined),), refused=declined.message)
    except GatewayKeySpent as spent:
        answer = replace(result(transient=named(spent), spent=True), key=spent.key)
    except GatewayThrottled as kept_back:
        answer = result(transient=named(kept_back), turned_away=True)
    except GatewayTransient as trouble:
        answer = result(transient=named(trouble))
    except GatewayRefused as refused:
        answer = result(refused=named(refused))
    except Contradiction as contradiction:
        answer = result(contradiction=str(contradiction))
    except Exception as error:  # one answer that cannot be read must not fail the whole batch
        logger.exception("payment %s: %s failed", payment.pk, request.purpose)
        answer = result(broken=named(error))
    return replace(answer, duration_ms=round((time.monotonic() - started) * 1000))


def _fact_of_decline(payment: Payment, declined: PaymentDeclined) -> PaymentFact:
    return PaymentFact(
        payment.pk,
        Payment.Status.FAILED,
        intent_id=declined.intent_id,
        decline_code=(declined.decline_code or declined.code)[:80],
        message=declined.message[:255],
    )


_pool: tuple[int, ThreadPoolExecutor] | None = None


def _threads() -> ThreadPoolExecutor:
    """This process's threads for gateway calls; a forked process makes its own."""
    global _pool
    if _pool is None or _pool[0] != os.getpid():
        _pool = (os.getpid(), ThreadPoolExecutor(CONCURRENT_CALLS, thread_name_prefix="gateway"))
    return _pool[1]
