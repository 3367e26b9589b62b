"""Asking the gateway, many payments at a time, and writing down what it said.

    questions = charging.authorizations(order_ids)      reads our rows; writes ahead what is asked
    answers = charging.ask(questions)                   no transaction is open, no row is locked
    payments = charging.record(answers)                 inside the saga's transaction

Dying between any two of these lines is harmless: the key of each question comes from our own row,
so asking again gets the same answer, and nothing asked is nothing written.

Whether a question may go out is settled when it is made, and not when it is asked (breaker.py): one
that is turned away is neither written ahead nor logged, for nobody was asked.

Unknown outcomes are resolved by the same key, then by looking the payment up at the gateway, never
by a new charge. A key that repeats a stored failure for ever, and under which the gateway has
nothing, is exchanged for a new one (`_exchange_spent_keys`), so that the order can go on.
"""

import logging
import os
import time
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import partial
from uuid import UUID

from django.conf import settings
from django.db.models import F, QuerySet
from django.db.models.functions import Now
from django.utils import timezone

from apps.payments import refunds
from apps.payments.gateway import (
    Gateway,
    GatewayCircuitOpen,
    GatewayError,
    GatewayOutcomeUnknown,
    GatewayRefund,
    GatewayRefused,
    GatewayTransient,
    Intent,
    IntentStatus,
    PaymentDeclined,
    get_gateway,
)
from apps.payments.ledger import Contradiction, Learnt, learnt_from, settle
from apps.payments.models import GatewayCall, Payment, Refund
from storefront import prepared

logger = logging.getLogger(__name__)

S = Payment.Status
CONCURRENT_CALLS = 128  # per process; a batch of the saga asks in one wave
KEY_HAS_OTHER_WORDS = "idempotency_error"
LOG_CALLS = """
    INSERT INTO payments_gatewaycall (id, payment_id, purpose, key, outcome, detail, duration_ms)
    SELECT gen_random_uuid(), * FROM json_to_recordset(%s::json) AS n(
        payment_id uuid, purpose text, key text, outcome text, detail text, duration_ms int)
"""


class GatewayKeySpent(GatewayOutcomeUnknown):
    """This key will repeat its failure for ever, and the gateway shows nothing made under it."""

    def __init__(self, failure: GatewayError, *, key: str) -> None:
        super().__init__(failure.message, replayed=True, request_id=failure.request_id)
        self.key = key


@dataclass(frozen=True, slots=True)
class Answer:
    """What came of one question.

    `facts` go to the books; `refund` settles one of our refund rows; `transient` asks for a retry;
    `refused` is the gateway's final no to what was wanted; `broken` is an error of ours. `spent`
    is True when nothing will ever come of `key`. `turned_away`: nobody was asked, the circuit is
    open; that is transient.
    """

    payment_id: UUID
    order_id: UUID
    purpose: str
    facts: tuple[Learnt, ...] = ()
    refund: tuple[UUID, GatewayRefund] | None = None
    transient: str = ""
    refused: str = ""
    broken: str = ""
    key: str = ""
    spent: bool = False
    refund_id: UUID | None = None
    turned_away: bool = False
    duration_ms: int = 0


@dataclass(frozen=True, slots=True)
class Question:
    """One payment and what to ask for it. `ask` touches no database.

    `turned_away` says why it may not be asked now. `gateway` has let it through; None when it is
    turned away, and when the answer is known without asking.
    """

    payment: Payment
    purpose: str
    ask: Callable[[Gateway], Answer]
    gateway: Gateway | None = None
    turned_away: str = ""


def authorizations(order_ids: Iterable[UUID]) -> list[Question]:
    """Questions that bring payments towards AUTHORIZED."""
    wanted = list(order_ids)
    gates = _gates_of_new(wanted)
    _write_ahead([pk for pk, gate in gates.items() if gate.gateway is not None])
    questions = []
    # Read after that: one that was given up as never asked meanwhile must not be asked any more.
    for payment in _asked_about(wanted):
        if payment.status == S.CREATED and payment.intent_id is None:
            ask = _authorize_later(payment)
            questions.append(_question(payment, "authorize", ask, gate=gates.get(payment.pk)))
        elif payment.status in (S.CREATED, S.REQUIRES_ACTION):
            # Asking again under the key would repeat the old answer; look how it stands now.
            questions.append(_question(payment, "look", _look_later(payment)))
    return questions


def captures(order_ids: Iterable[UUID]) -> list[Question]:
    """Questions that bring authorized payments to CAPTURED."""
    return [
        _question(payment, "capture", _capture_later(payment))
        for payment in _asked_about(order_ids).filter(status=S.AUTHORIZED)
    ]


def call_backs(order_ids: Iterable[UUID], *, reason: str) -> list[Question]:
    """Questions that bring payments to a net of zero: void what is reserved, refund what is taken.

    A payment that the gateway was never asked about is voided without asking. The refund is a row
    of ours before the gateway hears of it.
    """
    questions = []
    for payment in _asked_about(order_ids):
        if payment.status in (S.VOIDED, S.REFUNDED):
            continue
        refund = None
        if payment.captured_amount > payment.refunded_amount:
            refund = refunds.open_for_rest(payment, reason=reason)
        ask = _call_back_later(payment, refund)
        if payment.asked_at is None:
            questions.append(Question(payment, "call back", ask))
        else:
            questions.append(_question(payment, "call back", ask))
    return questions


def _asked_about(order_ids: Iterable[UUID]) -> QuerySet[Payment]:
    """The payments of these orders, with what a question is made of."""
    return Payment.objects.filter(order_id__in=list(order_ids)).defer("created_at", "updated_at")


@dataclass(frozen=True, slots=True)
class Gate:
    """Whether a question may go out: by `gateway`, or not, and why."""

    gateway: Gateway | None = None
    turned_away: str = ""


def _question(
    payment: Payment, purpose: str, ask: Callable[[Gateway], Answer], *, gate: Gate | None = None
) -> Question:
    """A question that has passed the circuit, or was turned away there."""
    if payment.amount == 0:
        return Question(payment, purpose, ask)  # nothing to pay, nobody to ask
    gate = gate or _gate()
    return Question(payment, purpose, ask, gate.gateway, gate.turned_away)


def _gate() -> Gate:
    try:
        return Gate(get_gateway().let_through())
    except GatewayCircuitOpen as no:
        return Gate(turned_away=_named(no))


def _gates_of_new(order_ids: list[UUID]) -> dict[UUID, Gate]:
    """Of each payment that would be asked about for the first time, by its id."""
    new = Payment.objects.filter(
        order_id__in=order_ids, asked_at__isnull=True, status=S.CREATED, amount__gt=0
    )
    return {pk: _gate() for pk in new.values_list("pk", flat=True)}


def ask(questions: list[Question], *, heartbeat: Callable[[], None] | None = None) -> list[Answer]:
    """Ask all at once; `heartbeat` is called every few seconds while answers are awaited."""
    futures: list[Future[Answer]] = [_crowd().submit(_ask_one, question) for question in questions]
    waiting = set(futures)
    while waiting:
        _, waiting = wait(waiting, timeout=5)
        if waiting and heartbeat is not None:
            heartbeat()
    return [future.result() for future in futures]


def record(answers: Iterable[Answer], *, order_ids: Iterable[UUID]) -> dict[UUID, Payment]:
    """Write down what was learnt; the payments of `order_ids`, locked and current, by order id."""
    answers = list(answers)
    for answer in answers:
        if answer.refund is not None:
            refunds.settle(*answer.refund)
    ours = Payment.objects.filter(order_id__in=list(order_ids)).values_list("pk", flat=True)
    barren = [answer for answer in answers if answer.spent and _asked_long_ago(answer)]
    facts = [fact for answer in answers for fact in answer.facts]
    # On the way back nothing made is as good as given up.
    facts += [
        Learnt(answer.payment_id, S.VOIDED, unheard=True)
        for answer in barren
        if answer.purpose == "call back" and ":authorize:" in answer.key
    ]
    settled = settle(facts, also=ours)
    _exchange_spent_keys(barren, settled.payments)
    _log_calls([answer for answer in answers if not answer.turned_away])
    return {payment.order_id: payment for payment in settled.payments.values()}


def _log_calls(answers: list[Answer]) -> None:
    if not answers:
        return
    calls = (
        {
            "payment_id": answer.payment_id,
            "purpose": answer.purpose,
            "key": answer.key,
            "outcome": _in_a_word(answer),
            "detail": (_trouble(answer) or _facts_in_words(answer))[:255],
            "duration_ms": answer.duration_ms,
        }
        for answer in answers
    )
    prepared.run(LOG_CALLS, [prepared.document(calls)])


def _asked_long_ago(answer: Answer) -> bool:
    """Whether a call under this key was written down so long ago that it cannot be under way."""
    return GatewayCall.objects.filter(
        payment_id=answer.payment_id,
        key=answer.key,
        created_at__lt=Now() - refunds.NOTHING_COMES_AFTER,
    ).exists()


def _exchange_spent_keys(barren: list[Answer], locked: Mapping[UUID, Payment]) -> None:
    """New keys for payments whose key is spent and made nothing; their rows are locked.

    Never a second charge: the old key can make none any more, and only a payment that still stands
    where the question found it gets a new one. (A capture or void is made once in any case.)
    """
    for answer in barren:
        if answer.refund_id is not None:
            refunds.exchange_spent_key(answer.refund_id, answer.key)
            continue
        payment = locked[answer.payment_id]
        wanted = {
            payment.key("authorize"): payment.status == S.CREATED and payment.intent_id is None,
            payment.key("capture"): payment.status == S.AUTHORIZED,
            payment.key("void"): payment.status not in (S.VOIDED, S.CAPTURED, S.REFUNDED),
        }
        if wanted.get(answer.key, False):
            logger.warning("payment %s: %s is spent, a new key is taken", payment.pk, answer.key)
            Payment.objects.filter(pk=payment.pk).update(generation=F("generation") + 1)
            payment.generation += 1


def _in_a_word(answer: Answer) -> str:
    if answer.broken:
        return "broken"
    return "retry" if answer.transient else "refused" if answer.refused else "answered"


def _trouble(answer: Answer) -> str:
    return answer.broken or answer.transient or answer.refused


def _facts_in_words(answer: Answer) -> str:
    words = [f"{fact.status} {fact.intent_id or ''}".strip() for fact in answer.facts]
    if answer.refund is not None:
        words.append(f"refund {answer.refund[1].status} {answer.refund[1].id}")
    return ", ".join(words)


# --- One question each --------------------------------------------------------------------------


def _authorize_later(payment: Payment) -> Callable[[Gateway], Answer]:
    def ask(gateway: Gateway) -> Answer:
        if payment.amount == 0:
            return _answer(payment, "authorize", [Learnt(payment.pk, S.AUTHORIZED)])
        intent = _authorized_intent(gateway, payment)
        return _from_intent(payment, "authorize", intent, key=payment.key("authorize"))

    return ask


def _authorized_intent(gateway: Gateway, payment: Payment) -> Intent:
    asked_at = payment.asked_at or timezone.now()
    find = partial(
        gateway.find,
        payment_id=str(payment.pk),
        created_after=asked_at - timedelta(minutes=10),
    )
    if timezone.now() - asked_at > refunds.KEY_TRUSTED_FOR:
        found = find()
        if found is not None:
            return found
    try:
        return gateway.authorize(
            key=payment.key("authorize"),
            amount=payment.amount,
            currency=payment.currency,
            payment_method=payment.payment_method,
            metadata={
                "payment_id": str(payment.pk),
                "order_id": str(payment.order_id),
                "shop": our_mark(),
            },
            return_url=payment.return_url,
        )
    except (GatewayOutcomeUnknown, GatewayRefused) as no:
        key_is_spent = (
            no.replayed if isinstance(no, GatewayOutcomeUnknown) else no.code == KEY_HAS_OTHER_WORDS
        )
        if not key_is_spent:
            raise
        # The key repeats a stored failure for ever, or is bound to
        # other words; only the gateway's list can tell now.
        found = find()
        if found is None:
            raise GatewayKeySpent(no, key=payment.key("authorize")) from no
        return found


def our_mark() -> str:
    """What tells our payments from those of others who use the same account: our address."""
    return settings.SHOP_URL[:500]


def _look_later(payment: Payment) -> Callable[[Gateway], Answer]:
    def ask(gateway: Gateway) -> Answer:
        return _from_intent(payment, "look", gateway.retrieve(str(payment.intent_id)))

    return ask


def _capture_later(payment: Payment) -> Callable[[Gateway], Answer]:
    def ask(gateway: Gateway) -> Answer:
        if payment.amount == 0:
            return _answer(payment, "capture", [Learnt(payment.pk, S.CAPTURED)])
        key = payment.key("capture")
        try:
            intent = gateway.capture(str(payment.intent_id), key=key, amount=payment.amount)
        except GatewayOutcomeUnknown as unknown:
            if not unknown.replayed:
                raise
            intent = gateway.retrieve(str(payment.intent_id))
            if intent.status == IntentStatus.REQUIRES_CAPTURE:
                raise GatewayKeySpent(unknown, key=key) from unknown  # never executed
        except GatewayRefused as no:
            # Often it is captured already, or the authorization has lapsed: look.
            intent = no.intent or gateway.retrieve(str(payment.intent_id))
        if intent.status == IntentStatus.CANCELED:
            answer = _from_intent(payment, "capture", intent, key=key)
            return _but(answer, refused="The authorization has lapsed.")
        return _from_intent(payment, "capture", intent, key=key)

    return ask


def _call_back_later(payment: Payment, refund: Refund | None) -> Callable[[Gateway], Answer]:
    def ask(gateway: Gateway) -> Answer:
        if payment.amount == 0:
            return _answer(payment, "call back", [Learnt(payment.pk, S.VOIDED)])
        if payment.asked_at is None:
            return _answer(payment, "call back", [Learnt(payment.pk, S.VOIDED, unasked=True)])
        if refund is not None:
            return _answer_of_refund(payment, refunds.ask(gateway, refund, payment))
        intent_id = payment.intent_id
        if intent_id is None:
            # It may have gone through unheard. The same key tells, and nothing can follow it.
            try:
                intent_id = _authorized_intent(gateway, payment).id
            except PaymentDeclined as declined:
                intent_id = declined.intent_id
            except GatewayRefused:
                # Such a request never makes anything; had an earlier one under this key, the
                # gateway would have repeated its answer. Without this an order with a token that
                # nobody knows ends on a person's desk.
                pass
            if intent_id is None:
                return _answer(payment, "call back", [Learnt(payment.pk, S.VOIDED)])
        key = payment.key("void")
        try:
            intent = gateway.void(intent_id, key=key)
        except GatewayRefused as no:
            intent = no.intent or gateway.retrieve(intent_id)
        except GatewayOutcomeUnknown as unknown:
            if not unknown.replayed:
                raise
            intent = gateway.retrieve(intent_id)
            if intent.status not in (IntentStatus.CANCELED, IntentStatus.SUCCEEDED):
                raise GatewayKeySpent(unknown, key=key) from unknown
        answer = _from_intent(payment, "call back", intent, key=key)
        if intent.status != IntentStatus.CANCELED:
            # Taken after all: the books now say so, and the next round refunds it.
            return _but(answer, transient=f"cannot be voided: {intent.status}")
        return answer

    return ask


def _answer_of_refund(payment: Payment, sent: refunds.Sent) -> Answer:
    settled = (sent.refund_id, sent.refund) if sent.refund is not None else None
    return Answer(
        payment.pk,
        payment.order_id,
        "refund",
        refund=settled,
        transient=sent.transient,
        key=sent.key,
        spent=sent.spent,
        refund_id=sent.refund_id,
    )


def _from_intent(payment: Payment, purpose: str, intent: Intent, key: str = "") -> Answer:
    fact = learnt_from(payment, intent)
    return Answer(payment.pk, payment.order_id, purpose, facts=(fact,), key=key)


def _answer(payment: Payment, purpose: str, facts: list[Learnt]) -> Answer:
    return Answer(payment.pk, payment.order_id, purpose, facts=tuple(facts))


def _but(answer: Answer, *, transient: str = "", refused: str = "", duration_ms: int = 0) -> Answer:
    return replace(
        answer,
        transient=transient or answer.transient,
        refused=refused or answer.refused,
        duration_ms=duration_ms or answer.duration_ms,
    )


def _ask_one(question: Question) -> Answer:
    payment, started = question.payment, time.monotonic()
    plain = partial(
        Answer,
        payment.pk,
        payment.order_id,
        question.purpose,
        key=payment.key(question.purpose),
    )
    if question.turned_away:
        return plain(transient=question.turned_away, turned_away=True)
    try:
        answer = question.ask(question.gateway or get_gateway())
    except PaymentDeclined as no:
        fact = Learnt(
            payment.pk,
            S.FAILED,
            intent_id=no.intent_id,
            decline_code=(no.decline_code or no.code)[:80],
            message=no.message[:255],
        )
        answer = plain(facts=(fact,), refused=no.message)
    except GatewayKeySpent as spent:
        answer = replace(plain(transient=_named(spent), spent=True), key=spent.key)
    except GatewayTransient as trouble:
        answer = plain(transient=_named(trouble))
    except (GatewayRefused, Contradiction) as no:
        answer = plain(refused=_named(no))
    except Exception as error:  # one answer that nobody can read must not take its batch along
        logger.exception("payment %s: %s failed", payment.pk, question.purpose)
        answer = plain(broken=_named(error))
    return _but(answer, duration_ms=round((time.monotonic() - started) * 1000))


def _named(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"


def _write_ahead(payment_ids: list[UUID]) -> None:
    """From here on the gateway may know of them: an undo has to ask."""
    if payment_ids:
        Payment.objects.filter(pk__in=payment_ids, asked_at__isnull=True, status=S.CREATED).update(
            asked_at=Now()
        )


_pool: tuple[int, ThreadPoolExecutor] | None = None


def _crowd() -> ThreadPoolExecutor:
    """This process's threads for gateway calls; made after the fork."""
    global _pool
    if _pool is None or _pool[0] != os.getpid():
        _pool = (os.getpid(), ThreadPoolExecutor(CONCURRENT_CALLS, thread_name_prefix="gateway"))
    return _pool[1]
