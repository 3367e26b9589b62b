"""The gateway hangs, fails, refuses, is away, or forgets its idempotency keys."""

import time
from collections.abc import Iterable
from datetime import timedelta

from tools.faults.controls.gateway import Rule, rule
from tools.faults.matrix.fault import Action, Fault, FaultContext, nothing

CREATE, CAPTURE = "payment_intents.create", "payment_intents.capture"
MUTATING = (CREATE, CAPTURE, "payment_intents.cancel", "refunds.create")


def at_gateway(*rules: Rule) -> Action:
    """Apply these rules to the gateway."""

    def inject(context: FaultContext) -> None:
        context.shop.gateway.apply(*rules)

    return inject


def heal_gateway(context: FaultContext) -> None:
    context.notes["calls affected"] = context.shop.gateway.struck()
    context.shop.gateway.apply()


def calls_were_affected(context: FaultContext) -> Iterable[str]:
    if not context.notes["calls affected"]:
        yield "the fault applied to no call"


def cut_gateway_off(context: FaultContext) -> None:
    context.shop.proxy.set("gateway", refusing=True)


def reach_gateway(context: FaultContext) -> None:
    context.shop.proxy.heal("gateway")


def gateway_forgets(context: FaultContext) -> None:
    """Calls are executed and not answered; then a day passes and the keys are forgotten."""
    context.shop.gateway.apply(rule("reset_after", "payment_intents.create", probability=0.8))
    time.sleep(4.0)
    context.shop.stack.stop_process("worker")
    context.shop.gateway.apply()
    context.shop.gateway.advance_clock(timedelta(hours=25))
    context.notes["aged"] = len(
        context.shop.ask(
            "UPDATE payments_payment SET asked_at = asked_at - interval '25 hours'"
            " WHERE status = 'created' AND asked_at IS NOT NULL RETURNING id"
        )
    )
    context.shop.stack.start_process("worker")


def keys_were_forgotten(context: FaultContext) -> Iterable[str]:
    if not context.notes["aged"]:
        yield "no payment was open when the keys were forgotten"


FAULTS: tuple[Fault, ...] = (
    Fault(
        name="gateway-timeout-before",
        target="gateway",
        action="a fifth of the gateway's calls hang and are not executed",
        expected="repeated under the same key; one charge",
        inject=at_gateway(rule("timeout_before", *MUTATING, probability=0.2)),
        heal=heal_gateway, check=calls_were_affected, seconds=4,
    ),
    Fault(
        name="gateway-timeout-after",
        target="gateway",
        action="a fifth of the gateway's calls are executed, and never answered",
        expected="the same key gives the result; one charge",
        inject=at_gateway(rule("timeout_after", *MUTATING, probability=0.2)),
        heal=heal_gateway, check=calls_were_affected, seconds=4,
    ),
    Fault(
        name="gateway-500-after",
        target="gateway",
        action="a third of the gateway's calls are executed and answered with a 500 that replays",
        expected="the payment is looked up; one charge",
        inject=at_gateway(rule("error_500_after", *MUTATING, probability=0.33)),
        heal=heal_gateway, check=calls_were_affected, seconds=4,
    ),
    Fault(
        name="gateway-409",
        target="gateway",
        action="half of the gateway's calls are answered with 409",
        expected="repeated later; one charge",
        inject=at_gateway(rule("conflict_409", *MUTATING, probability=0.5)),
        heal=heal_gateway, check=calls_were_affected, seconds=4,
    ),
    Fault(
        name="gateway-429",
        target="gateway",
        action="half of the gateway's calls are answered with 429",
        expected="repeated later; one charge",
        inject=at_gateway(rule("rate_limit_429", *MUTATING, probability=0.5)),
        heal=heal_gateway, check=calls_were_affected, seconds=4,
    ),
    Fault(
        name="gateway-reset",
        target="gateway",
        action="half of the gateway's calls are reset, before or after they are executed",
        expected="the same key gives the result; one charge",
        inject=at_gateway(
            rule("reset_before", *MUTATING, probability=0.25),
            rule("reset_after", *MUTATING, probability=0.25),
        ),
        heal=heal_gateway, check=calls_were_affected, seconds=4,
    ),
    Fault(
        name="gateway-outage",
        target="gateway",
        action="the gateway refuses all connections for 30 seconds",
        expected="orders are accepted all the time; holds are kept; one charge each afterwards",
        inject=cut_gateway_off, heal=reach_gateway, seconds=30,
    ),
    Fault(
        name="gateway-forgets-keys",
        target="gateway",
        action="payments are executed and not answered; a day later the keys are forgotten",
        expected="looked up before the call is repeated; never a second charge",
        inject=gateway_forgets, heal=nothing, check=keys_were_forgotten, seconds=1, combines=False,
    ),
)  # fmt: skip
