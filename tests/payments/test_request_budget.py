"""The gateway's rate limits are kept before it has to refuse, and the saga comes first."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import uuid4

import pytest
import redis
from django.conf import settings as django_settings

from apps.core.redis_client import thread_client
from apps.orders.saga import resume
from apps.payments import gateway as gateways
from apps.payments import request_budget, stripe_account
from apps.payments.breaker import BreakerGateway
from apps.payments.circuit import Circuit
from apps.payments.gateway import GatewayBusy, GatewayThrottled
from apps.payments.mirror import mirror_due
from apps.payments.models import GatewayCall, WebhookInbox
from apps.payments.request_budget import (
    ACCOUNT_KEY,
    OverBudget,
    RequestBudget,
    budget_from_settings,
    operation_of,
)
from apps.payments.stripe_gateway import StripeGateway
from tests.orders.purchases import Shop
from tests.payments.sandbox_process import KEY, SandboxProcess

LIST = "get /v1/events"
CREATE = "post /v1/payment_intents"


@pytest.fixture(autouse=True)
def empty_buckets() -> Iterator[redis.Redis]:
    client = thread_client(django_settings.REDIS_URL, decode_responses=True)
    for key in client.keys("gateway-budget:*"):
        client.delete(key)
    yield client


def gateway_of(sandbox: SandboxProcess, *, total: int, endpoint: int) -> StripeGateway:
    return StripeGateway(
        secret_key=KEY,
        api_host=sandbox.url,
        budget=RequestBudget(total=total, endpoint=endpoint),
        can_wait=RequestBudget(total=total, endpoint=endpoint, background=True),
    )


def taken_at_once(budget: RequestBudget, operation: str) -> int:
    """How many requests the budget lets through one after the other, until it refuses one."""
    for count in range(100):
        try:
            budget.take(operation)
        except OverBudget:
            return count
    return 100


@pytest.fixture
def slow_to_fill(monkeypatch: pytest.MonkeyPatch) -> None:
    """A bucket holds most of a second's requests, and the rest flows in: slowly, for exact counts.

    Of 20 requests a second it holds 18, and two flow in. Nobody waits.
    """
    monkeypatch.setattr(request_budget, "BURST", 0.9)
    monkeypatch.setattr(request_budget, "PATIENCE", 0.0)
    monkeypatch.setattr(request_budget, "MAX_WAIT", 0.0)


def authorize(gateway: StripeGateway | BreakerGateway, **given: Any) -> Any:
    return gateway.authorize(
        **{
            "key": str(uuid4()),
            "amount": 1999,
            "currency": "USD",
            "payment_method": "pm_card_visa",
            "metadata": {"payment_id": "p1"},
            "return_url": "http://shop.test/back",
            **given,
        }
    )


# --- What is one operation ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("method", "path", "operation"),
    [
        ("post", "/v1/payment_intents", "post /v1/payment_intents"),
        ("get", "/v1/payment_intents?limit=100", "get /v1/payment_intents"),
        ("get", "/v1/payment_intents/pi_3a", "get /v1/payment_intents/:id"),
        ("get", "/v1/payment_intents/search?query=x", "get /v1/payment_intents/search"),
        ("post", "/v1/payment_intents/pi_3a/capture", "post /v1/payment_intents/:id/capture"),
        ("get", "/v1/account", "get /v1/account"),
    ],
)
def test_operations_are_those_that_the_gateway_counts(
    method: str, path: str, operation: str
) -> None:
    assert operation_of(method, f"https://api.stripe.com{path}") == operation


# --- The limits -----------------------------------------------------------------------------------


def test_far_from_the_limit_nothing_waits_and_one_command_is_sent(
    monkeypatch: pytest.MonkeyPatch, empty_buckets: redis.Redis
) -> None:
    budget = RequestBudget(total=100, endpoint=25)
    budget.take(CREATE)  # Redis learns the script
    monkeypatch.setattr(time, "sleep", pytest.fail)
    before = empty_buckets.info("commandstats")
    budget.take(CREATE)
    after = empty_buckets.info("commandstats")

    def calls(stats: dict[str, Any], name: str) -> int:
        return int(stats.get(f"cmdstat_{name}", {}).get("calls", 0))

    assert calls(after, "evalsha") - calls(before, "evalsha") == 1
    assert calls(after, "eval") == calls(before, "eval")


def test_limit_is_kept_under_load(sandbox: SandboxProcess, monkeypatch: pytest.MonkeyPatch) -> None:
    """The sandbox counts like Stripe, and would refuse what is over.

    It takes twice as many, because on a busy machine requests arrive in bunches.
    """
    monkeypatch.setattr(request_budget, "MAX_WAIT", 30.0)
    sandbox.control("limits", {"endpoint_per_s": 40})
    gateway = gateway_of(sandbox, total=100, endpoint=20)
    with ThreadPoolExecutor(40) as pool:
        made = list(pool.map(lambda _: authorize(gateway), range(60)))
    counted = sandbox.control("limits")
    sandbox.control("limits", {})
    assert len({intent.id for intent in made}) == 60
    assert counted["refused"] == {}


def test_without_a_budget_the_same_load_is_refused(sandbox: SandboxProcess) -> None:
    """Shows that the test above can fail."""
    sandbox.control("limits", {"endpoint_per_s": 40})
    gateway = StripeGateway(secret_key=KEY, api_host=sandbox.url)

    def ask(_: int) -> str:
        try:
            authorize(gateway)
        except GatewayBusy:
            return "refused"
        return "made"

    with ThreadPoolExecutor(40) as pool:
        outcomes = Counter(pool.map(ask, range(200)))
    sandbox.control("limits", {})
    assert outcomes["refused"] > 0


def test_processes_share_one_budget() -> None:
    """Two budgets stand for two processes: they share Redis only."""
    one, other = (RequestBudget(total=0, endpoint=5) for _ in range(2))
    began = time.monotonic()
    with ThreadPoolExecutor(2) as pool:
        both = pool.map(lambda budget: [budget.take(CREATE) for _ in range(4)], (one, other))
        list(both)
    # One token is there at once, seven come at four a second.
    assert time.monotonic() - began > 1.5


def test_account_has_a_limit_beside_those_of_operations() -> None:
    budget = RequestBudget(total=10, endpoint=100)
    began = time.monotonic()
    for number in range(10):
        budget.take(f"get /v1/things{number}")
    assert time.monotonic() - began > 0.8


def test_who_would_wait_too_long_is_sent_away_and_takes_nothing(
    monkeypatch: pytest.MonkeyPatch, empty_buckets: redis.Redis
) -> None:
    monkeypatch.setattr(request_budget, "MAX_WAIT", 0.0)
    budget = RequestBudget(total=0, endpoint=1)
    budget.take(CREATE)
    before = empty_buckets.get(f"gateway-budget:{CREATE}")
    with pytest.raises(OverBudget) as over:
        budget.take(CREATE)
    assert 0 < over.value.retry_after <= 2
    assert empty_buckets.get(f"gateway-budget:{CREATE}") == before
    assert empty_buckets.get(request_budget.TURNED_AWAY_KEY) == "1"


@pytest.mark.usefixtures("slow_to_fill")
def test_saga_comes_before_the_mirror() -> None:
    """What can wait leaves half of the bucket, and never stands in the queue."""
    saga, mirror = (
        RequestBudget(total=0, endpoint=20, background=background) for background in (False, True)
    )
    assert 9 <= taken_at_once(mirror, LIST) <= 11
    assert 7 <= taken_at_once(saga, LIST) <= 11, "its half was left"
    assert taken_at_once(mirror, LIST) == 0


@pytest.mark.parametrize("background", [False, True])
def test_small_limit_lets_something_through(background: bool) -> None:
    budget = RequestBudget(total=1, endpoint=1, background=background)
    budget.take(LIST)


# --- 429 ------------------------------------------------------------------------------------------


def hold_of(client: redis.Redis, key: str) -> float:
    """Seconds until the bucket is full again."""
    seconds, micro = client.time()
    return int(client.get(key) or 0) / 1e6 - (seconds + micro / 1e6)


@pytest.mark.parametrize(
    ("limits", "key"),
    [
        ({"endpoint_per_s": 1, "retry_after_s": 30}, "gateway-budget:get /v1/payment_intents/:id"),
        ({"total_per_s": 1, "retry_after_s": 30}, ACCOUNT_KEY),
    ],
    ids=["operation", "account"],
)
def test_429_holds_what_it_was_about_for_its_time(
    sandbox: SandboxProcess, empty_buckets: redis.Redis, limits: dict[str, int], key: str
) -> None:
    gateway = gateway_of(sandbox, total=100, endpoint=25)
    intent = authorize(gateway)
    sandbox.control("limits", limits)
    with pytest.raises(GatewayBusy) as busy:
        for _ in range(5):
            gateway.retrieve(intent.id)
    assert not isinstance(busy.value, GatewayThrottled)
    assert busy.value.retry_after == 30
    assert 28 < hold_of(empty_buckets, key) < 32
    asked = sandbox.control("state")["requests"]
    with pytest.raises(GatewayThrottled) as held:
        gateway_of(sandbox, total=100, endpoint=25).retrieve(intent.id)  # another process
    assert sandbox.control("state")["requests"] == asked, "nobody asks before the time"
    assert 20 < (held.value.retry_after or 0) < 31
    sandbox.control("limits", {})


def test_429_about_a_locked_object_holds_nothing(
    sandbox: SandboxProcess, empty_buckets: redis.Redis
) -> None:
    gateway = gateway_of(sandbox, total=100, endpoint=25)
    with pytest.raises(GatewayBusy):
        authorize(gateway, metadata={"sandbox_fault": "conflict_409:1"})
    assert hold_of(empty_buckets, ACCOUNT_KEY) < 1


# --- Without Redis --------------------------------------------------------------------------------


@pytest.mark.usefixtures("slow_to_fill")
def test_without_redis_each_process_keeps_to_a_part(settings: Any) -> None:
    settings.REDIS_URL = "redis://127.0.0.1:1/0"
    budget = RequestBudget(total=0, endpoint=80)
    assert 18 <= taken_at_once(budget, CREATE) <= 21, "a quarter: 20 a second"
    budget.hold(CREATE, whole_account=False, seconds=60)
    with pytest.raises(OverBudget) as held:
        budget.take(CREATE)
    assert held.value.retry_after > 50


# --- In the shop ----------------------------------------------------------------------------------


def test_kept_back_call_is_no_answer_to_the_circuit(monkeypatch: pytest.MonkeyPatch) -> None:
    """Else our own limit would close a circuit that is open because the gateway is silent."""
    circuit = Circuit()
    counted: list[Any] = []
    monkeypatch.setattr(Circuit, "_count", lambda *args, **given: counted.append(args))
    with pytest.raises(GatewayThrottled), circuit.calling():
        raise GatewayThrottled("ours", retry_after=1.0)
    assert counted == []


@pytest.fixture
def limited(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """Gives the shop a gateway with so many requests a second for each operation."""

    def limit(endpoint: int) -> None:
        monkeypatch.setattr(request_budget, "MAX_WAIT", 0.0)
        gateways._gateway = BreakerGateway(gateway_of(shop.sandbox, total=0, endpoint=endpoint))

    return limit


def test_order_that_is_kept_back_goes_on_and_is_charged_once(
    shop: Shop, limited: Callable[[int], None], settings: Any
) -> None:
    limited(1)
    settings.STRIPE_ENDPOINT_REQUESTS_PER_SECOND = 1
    first, second = shop.place(), shop.place()
    shop.run()
    logged = [shop.log(order_id, "retry") for order_id in (first, second)]
    assert logged == [[], []], "nothing was sent: no attempt, no line in the log"
    kept_back = [pk for pk in (first, second) if "GatewayThrottled" in shop.saga(pk).last_error]
    assert kept_back
    assert resume.resume_kept_back() == len(kept_back)
    limited(1000)
    shop.run_hurried(first, second)
    for order_id in (first, second):
        assert shop.at_gateway(order_id) == [("succeeded", shop.order(order_id).total_amount, 0)]
    assert not GatewayCall.objects.exclude(outcome="answered").exists()
    shop.assert_audit_clean()


def test_mirror_that_is_kept_back_uses_up_no_attempts(
    shop: Shop, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A sale may last for hours. The copies come after it."""
    shop.place_confirmed()
    shop.hear("payment_intent.succeeded")
    monkeypatch.setattr(request_budget, "PATIENCE", 0.0)
    settings.STRIPE_REQUESTS_PER_SECOND = 1
    budget = RequestBudget(total=1, endpoint=0)
    stripe_account.owner_account()  # known from now on
    for _ in range(3):
        budget.hold(LIST, whole_account=True, seconds=30)
        WebhookInbox.objects.update(due_at="2020-01-01T00:00Z")
        assert mirror_due(at_most=10) == 0
    kept = WebhookInbox.objects.get()
    assert (kept.mirror_attempts, kept.mirror_error, kept.mirrored_at) == (0, "", None)
    settings.STRIPE_REQUESTS_PER_SECOND = 0
    WebhookInbox.objects.update(due_at="2020-01-01T00:00Z")
    assert mirror_due(at_most=10) == 1


def test_sandbox_has_no_budget(settings: Any) -> None:
    assert budget_from_settings() is None
    settings.STRIPE_ENDPOINT_REQUESTS_PER_SECOND = 25
    assert budget_from_settings() is not None
