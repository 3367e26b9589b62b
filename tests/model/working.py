"""Rules: workers carry orders on, die, freeze and wake; time passes; a person decides."""

from __future__ import annotations

from django.db.models import F
from hypothesis import strategies as st
from hypothesis.stateful import precondition

from apps.orders.errors import NotInReview
from apps.orders.models import Saga
from apps.orders.saga import claims, engine, review
from apps.payments.models import Payment, Refund
from tests.model.picking import Picking
from tests.model.rules import fates, number, pick, points, refusal, rule

MOST_ATTEMPTS = engine.MAX_ATTEMPTS


class Working(Picking):
    """What happens to orders that are under way."""

    # --- Working --------------------------------------------------------------------------------

    @precondition(lambda self: self.under_way())
    @rule()
    def worker_does_one_round(self) -> None:
        engine.advance()

    @precondition(lambda self: self.under_way())
    @rule(fate=fates, passed=points)
    def worker_does_all_that_is_due(self, fate: str, passed: int) -> None:
        self._do(self._work, fate, passed)

    @precondition(lambda self: self.frozen)
    @rule(which=number)
    def frozen_worker_wakes(self, which: int) -> None:
        worker = pick(self.frozen, which)
        self.frozen.remove(worker)
        worker.wake()

    @precondition(lambda self: self.leases or any(sale.backing_off for sale in self.paper.sales))
    @rule(end=st.sampled_from([("leases", "backoffs"), ("leases",), ("backoffs",)]))
    def time_passes(self, end: tuple[str, ...]) -> None:
        """Leases of dead workers, of frozen ones, of slow ones: they cannot be told apart."""
        if "leases" in end:
            self._leases_end()
        if "backoffs" in end:
            self.shop.hurry()

    @precondition(lambda self: self.under_way() and not self.tried_too_often)
    @rule(which=number)
    def was_tried_too_often(self, which: int) -> None:
        """The next claim of this order is one too many."""
        self.tried_too_often = True
        sale = pick(self.under_way(), which)
        Saga.objects.filter(pk=sale.order_id).update(attempts=MOST_ATTEMPTS)

    @precondition(lambda self: self.tried_too_often)
    @rule(which=number, verb=st.sampled_from(["retry", "undo"]))
    def person_decides(self, which: int, verb: str) -> None:
        self.read_the_log()
        sale = self.prefer([sale for sale in self.paper.sales if sale.in_review], which)
        decide = getattr(review, verb)
        if not sale.in_review:
            with refusal(NotInReview):
                decide(sale.order_id, actor="clerk", reason="looked at it")
            return
        decide(sale.order_id, actor="clerk", reason="looked at it")
        sale.in_review = False
        if verb == "undo":
            sale.called_off = True
            if sale.way == "do":
                sale.turn_back()

    # --- Time -----------------------------------------------------------------------------------

    @precondition(lambda self: self.paper.sales)
    @rule(which=number)
    def deadline_passes(self, which: int) -> None:
        sale = pick(self.paper.sales, which)
        sale.out_of_time = True
        self.shop.pass_deadline(sale.order_id)

    @precondition(lambda self: self.under_way() and not self.outage and not self.a_day_later)
    @rule()
    def day_passes(self) -> None:
        """The gateway forgets its keys; whatever is still open is out of time."""
        self.a_day_later = True
        self.shop.sandbox.control("clock", {"advance_s": 25 * 3600})
        Payment.objects.filter(asked_at__isnull=False).update(
            asked_at=F("asked_at") - claims.PATIENCE * 5
        )
        Refund.objects.update(created_at=F("created_at") - claims.PATIENCE * 5)
        for sale in self.under_way():
            sale.out_of_time = True
            self.shop.pass_deadline(sale.order_id)
