"""Rules: banks ask, answer and let go; the gateway stumbles; webhooks arrive in any order."""

from __future__ import annotations

from hypothesis import strategies as st
from hypothesis.stateful import precondition

from apps.orders.errors import NotPayable
from apps.orders.saga.pay_again import pay_again
from apps.payments import inbox
from tests.model.picking import Picking
from tests.model.rules import cards, fates, number, pick, refusal, rule

TROUBLES = ("reset_before", "reset_after", "error_500_before", "error_500_after", "conflict_409")
OPERATIONS = (
    "payment_intents.create",
    "payment_intents.capture",
    "payment_intents.cancel",
    "payment_intents.retrieve",
    "refunds.create",
)


class Paying(Picking):
    """What banks and the gateway do."""

    @precondition(lambda self: self.challenged() and not self.outage)
    @rule(which=number, decision=st.sampled_from(["approve", "approve", "refuse"]))
    def answers_their_bank(self, which: int, decision: str) -> None:
        sale = pick(self.challenged(), which)
        self.shop.sandbox.raw("POST", sale.bank_page, f"decision={decision}", key="")
        (intent,) = [i for i in self.shop.intents(sale.order_id) if i["id"] in sale.bank_page]
        if sale.challenge == "open":
            if intent["status"] == "canceled":
                sale.challenge = "late"
            else:
                sale.challenge = "approved" if decision == "approve" else "refused"

    @precondition(lambda self: self.awaiting_cards())
    @rule(which=number, card=cards)
    def tries_another_card(self, which: int, card: str) -> None:
        sale = self.prefer(self.awaiting_cards(), which)
        if sale.payable:
            pay_again(sale.order_id, payment_method=card)
            sale.pay_again(card)
        else:
            with refusal(NotPayable):
                pay_again(sale.order_id, payment_method=card)

    @precondition(lambda self: self.paper.sales and not self.outage)
    @rule(which=number)
    def bank_lets_the_authorization_go(self, which: int) -> None:
        sale = self.prefer([sale for sale in self.paper.sales if sale.capture_was_asked], which)
        for intent in self.shop.intents(sale.order_id):
            if intent["status"] == "requires_capture":
                self.shop.sandbox.client().v1.payment_intents.cancel(intent["id"])
                sale.lapsed = True

    @precondition(lambda self: self.paper.sales)
    @rule(which=number, fault=st.sampled_from(TROUBLES), operation=st.sampled_from(OPERATIONS))
    def gateway_stumbles_over_an_order(self, which: int, fault: str, operation: str) -> None:
        """The next call of this kind; an earlier stumble that did not happen is forgotten."""
        about = {"order_id": str(pick(self.paper.sales, which).order_id)}
        self.outage = 0
        self.shop.sandbox.faults(
            {"fault": fault, "operations": [operation], "metadata": about, "count": 1}
        )

    @precondition(lambda self: self.under_way() and not self.outage)
    @rule(lasts=st.integers(1, 4))
    def gateway_goes_away(self, lasts: int) -> None:
        self.outage = lasts + 1
        self.shop.sandbox.faults({"fault": "outage"})

    @precondition(lambda self: self.paper.sales and not self.outage)
    @rule(which=number, event=number, copies=st.integers(1, 2))
    def webhook_arrives(self, which: int, event: int, copies: int) -> None:
        """Any of the order's, in any order, twice at will. Those never drawn never arrive."""
        events = self._events_of(pick(self.paper.sales, which))
        self.posted = bool(events)
        for _ in range(copies if events else 0):
            assert self.shop.post_webhook(pick(events, event)) == 200

    @precondition(lambda self: self.paper.sales and not self.outage and not self.posted)
    @rule(which=number)
    def all_webhooks_of_an_order_arrive(self, which: int) -> None:
        self.posted = True
        for event in self._events_of(pick(self.paper.sales, which)):
            assert self.shop.post_webhook(event) == 200

    @precondition(lambda self: self.posted)
    @rule(fate=fates, passed=st.integers(0, 3))
    def webhooks_are_applied(self, fate: str, passed: int) -> None:
        self.posted = False
        self._do(inbox.apply_due, fate, passed)
