"""Every fault: what is done, how it is healed, what must come out.

    FAULTS at the end is the table. A line of it names two functions of this file, one that breaks
    and one that heals, and in words what must come out. What must come out of every one of them is
    not repeated: the invariants hold at every instant, nothing accepted is lost, nobody is charged
    twice, and once it is healed every order comes to its end and none to the review queue.

A function takes the Scene: the shop with its levers, the shoppers, and what they were told. `until`
says when a fault has been seen enough of, before its seconds are over; `check` looks for what only
this fault could have left behind.
"""

import hashlib
import hmac
import json
import random
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import requests
from djstripe.models import WebhookEndpoint

from apps.inventory import stock
from apps.notifications import delivery  # noqa: F401  declares its failpoints
from apps.orders import acceptance, cancel, review, saga  # noqa: F401  likewise
from apps.orders.errors import NotCancellable
from apps.orders.models import Order
from apps.payments import inbox, refunds  # noqa: F401  likewise
from apps.payments.models import Payment
from apps.payments.reconciler import looks  # noqa: F401  likewise
from faults import clock
from faults.load import Shoppers, Told, buy_one
from faults.place import HOLD_CAP_SECONDS, HOLD_SECONDS
from faults.shop import HOT, Rule, Shop, rule
from storefront import bells, failpoints

POISON = "poison@example.com"
REDIS_LIMIT = "512mb"  # storefront/embedded/redis_server.py


@dataclass(slots=True)
class Scene:
    """What a fault may lay hands on. `notes` is this fault's own, from breaking to checking."""

    shop: Shop
    shoppers: Shoppers
    told: Told
    dice: random.Random
    began_at: float = 0.0
    healed_at: float = 0.0
    notes: dict[str, Any] = field(default_factory=dict)
    held: ExitStack = field(default_factory=ExitStack)


Deed = Callable[[Scene], None]


def _nothing(scene: Scene) -> None:
    """Heals itself, or there is nothing to break."""


def _never(scene: Scene) -> bool:
    return False


def _no_complaint(scene: Scene) -> Iterable[str]:
    return ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One line of the table.

    `seconds` is how long it lasts at most. `sells`: orders must be accepted all the while.
    `combines`: may come together with others, of which none pulls the same `lever`. `missing` says
    why it cannot be had on this machine. `short_holds`: tried with holds of seconds.
    """

    name: str
    lever: str
    done: str
    comes_out: str
    inject: Deed
    heal: Deed
    seconds: float
    until: Callable[[Scene], bool] = _never
    check: Callable[[Scene], Iterable[str]] = _no_complaint
    sells: bool = True
    short_holds: bool = False
    combines: bool = True
    missing: Callable[[], str] = str
    patience: timedelta = timedelta(seconds=240)  # until all is at rest again


# --- Processes die at named points --------------------------------------------------------------


# What does not fit between the two books and goes to a person: that is made by nothing here. These
# points have tests of their own (tests/payments/test_reconciler.py).
NOT_REACHED = ("reconcile.note.", "reconcile.claim.", "reconcile.return.")


def points(*prefixes: str) -> list[str]:
    """Declared points whose name begins so, of those that a shop that sells gets to."""
    declared = [name for name in failpoints.declared() if not name.startswith(NOT_REACHED)]
    return [name for name in declared if name.startswith(prefixes)]


def _die_at(scene: Scene, *names: str, times: int = 1, every: float = 0.5) -> None:
    """Arm one point after the other, in an order of the seed."""
    todo = list(names)
    scene.dice.shuffle(todo)
    todo.sort(key=lambda name: not name.startswith("refund."))  # theirs is the longest lease

    def drip() -> None:
        for name in todo:
            if scene.notes.get("over"):
                return
            scene.shop.arm(name, times)
            time.sleep(every)
        scene.notes["dripped"] = True

    threading.Thread(target=drip, name="drip", daemon=True).start()


def crash_in_intake(scene: Scene) -> None:
    _die_at(scene, *points("intake."), every=3.0)


def crash_in_saga(scene: Scene) -> None:
    _die_at(scene, *points("saga."))


def crash_twice(scene: Scene) -> None:
    _die_at(scene, *scene.dice.sample(points("saga."), 4), times=2, every=1.0)


def crash_elsewhere(scene: Scene) -> None:
    _die_at(scene, *points("inbox.", "refund.", "mail."), every=1.0)


def crash_in_reconciler(scene: Scene) -> None:
    """Nobody tells us what the banks say, so the reconciler finds it out.

    Nor that a bank wants to be asked: that word wakes the saga, which looks for itself, and on a
    slow machine it comes after the shopper has been to her bank.
    """
    scene.shop.gateway(
        rule("webhook_drop", "three_d_secure.decide"),
        rule("webhook_drop", "payment_intents.create"),
    )
    _die_at(scene, *points("reconcile."), every=3.0)


def no_more_crashes_in_reconciler(scene: Scene) -> None:
    scene.shop.gateway()
    no_more_crashes(scene)


def all_struck(scene: Scene) -> bool:
    armed = scene.shop.armed()
    if any(name.startswith("reconcile.") for name in armed):
        _reconcile_soon(scene)
    if any(name.startswith("refund.") for name in armed):
        _ask_for_a_refund()
    if any(".undo." in name for name in armed):
        _cancel_what_is_confirmed()
    return bool(scene.notes.get("dripped")) and not armed


def no_more_crashes(scene: Scene) -> None:
    scene.notes["over"] = True
    scene.notes["not reached"] = scene.shop.armed()
    scene.shop.disarm()


def points_were_struck(scene: Scene) -> Iterable[str]:
    for name in scene.notes["not reached"]:
        yield f"nobody reached {name}"


def _reconcile_soon(scene: Scene) -> None:
    """As if payments had been open for some time, and the minute between two looks were over."""
    scene.shop.ask(
        "UPDATE payments_payment SET asked_at = asked_at - interval '1 minute'"
        " WHERE status = 'requires_action' AND asked_at > now() - interval '1 minute'"
    )
    bells.ring("payments.reconcile")


def _ask_for_a_refund() -> None:
    """A person gives part of some order's money back: the only way to reach those points."""
    payment = (
        Payment.objects.filter(status=Payment.Status.CAPTURED, refunded_amount=0)
        .order_by("-created_at")
        .first()
    )
    if payment is not None:
        refunds.request_refund(
            payment.order_id, amount=100, purpose="admin:faults", reason="goodwill", actor="faults"
        )


def _cancel_what_is_confirmed() -> None:
    """Somebody thinks again when everything is done: each step has something to undo."""
    order = Order.objects.filter(status=Order.Status.CONFIRMED).order_by("-id").first()
    if order is not None:
        with suppress(NotCancellable):
            cancel.request_cancellation(order.pk)


# --- Workers ------------------------------------------------------------------------------------


def kill_worker(scene: Scene) -> None:
    scene.shop.stack.kill("worker")


def kill_worker_children(scene: Scene) -> None:
    for _ in range(3):
        scene.shop.kill_child("worker")
        time.sleep(1.0)


def make_a_zombie(scene: Scene) -> None:
    scene.shop.arm("saga.authorize_payment.do.after_ask", deed=failpoints.FREEZE)
    # This one lies down with its locks on the shelves.
    scene.shop.arm("saga.confirm_stock.do.before_commit", deed=failpoints.FREEZE)


def wake_the_zombie(scene: Scene) -> None:
    scene.notes["not reached"] = scene.shop.armed()
    scene.shop.disarm()
    scene.shop.thaw()


def poison_an_order(scene: Scene) -> None:
    """An order whose units cannot be written off, whatever is tried: a trigger forbids it."""
    scene.shop.ask(
        """
        CREATE OR REPLACE FUNCTION faults_poison() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            IF EXISTS (SELECT FROM orders_order
                       WHERE id = NEW.order_id AND email = 'poison@example.com')
            THEN RAISE EXCEPTION 'poison'; END IF;
            RETURN NEW;
        END $$
        """
    )
    scene.shop.ask(
        "CREATE TRIGGER faults_poison BEFORE INSERT ON inventory_stockmovement"
        " FOR EACH ROW EXECUTE FUNCTION faults_poison()"
    )
    stock.receive(sku=HOT, quantity=5, reason="faults", actor="faults")
    url = scene.shop.stack.url
    scene.notes["order"] = buy_one(url, scene.told, key=uuid4().hex, email=POISON)


def poison_is_in_review(scene: Scene) -> bool:
    """Every try is a real one; only the pauses between them are made short."""
    order = scene.notes["order"]
    scene.shop.ask(
        "UPDATE orders_saga SET due_at = now()"
        " WHERE order_id = %s AND state = 'forward' AND lease_until IS NULL AND due_at > now()",
        order,
    )
    [(state, attempts)] = scene.shop.ask(
        "SELECT state, attempts FROM orders_saga WHERE order_id = %s", order
    )
    scene.notes["state"], scene.notes["attempts"] = state, attempts
    return bool(state == "review")


def cure_and_replay(scene: Scene) -> None:
    scene.shop.ask("DROP TRIGGER faults_poison ON inventory_stockmovement")
    if scene.notes["state"] == "review":
        review.retry(UUID(scene.notes["order"]), actor="faults", reason="the poison is gone")


def poison_went_through(scene: Scene) -> Iterable[str]:
    if scene.notes["state"] != "review":
        yield f"the poisoned order never came to review: {scene.notes['state']}"
    [(status, captured)] = scene.shop.ask(
        "SELECT o.status, p.captured_amount FROM orders_order o"
        " JOIN payments_payment p ON p.order_id = o.id WHERE o.id = %s",
        scene.notes["order"],
    )
    if status != "CONFIRMED" or not captured:
        yield f"replayed, the poisoned order is {status} with {captured} captured"


def deploy(scene: Scene) -> None:
    for name in ("web", "worker", "worker-background", "beat", "live"):
        scene.shop.stack.restart(name)


def stop_beat(scene: Scene) -> None:
    scene.shop.stack.stop_process("beat")


def start_beat(scene: Scene) -> None:
    scene.shop.stack.start_process("beat")


def second_beat(scene: Scene) -> None:
    scene.shop.stack.start_process("beat-2")


def one_beat(scene: Scene) -> None:
    scene.shop.stack.stop_process("beat-2")


# --- Redis --------------------------------------------------------------------------------------


def freeze_redis(scene: Scene) -> None:
    scene.shop.freeze_redis()


def thaw_redis(scene: Scene) -> None:
    scene.shop.thaw_redis()


def kill_redis(scene: Scene) -> None:
    scene.shop.kill_redis()


def revive(scene: Scene) -> None:
    scene.shop.revive()


def empty_redis(scene: Scene) -> None:
    for _ in range(3):
        scene.shop.redis().flushall()
        time.sleep(1.0)


def fill_redis(scene: Scene) -> None:
    scene.shop.redis().config_set("maxmemory", "1mb")


def give_redis_room(scene: Scene) -> None:
    scene.shop.redis().config_set("maxmemory", REDIS_LIMIT)


# --- PostgreSQL ---------------------------------------------------------------------------------


def kill_postgres(scene: Scene) -> None:
    scene.shop.kill_postgres()


def lose_commits(scene: Scene) -> None:
    scene.notes["lost before"] = scene.shop.proxy.commits_lost()
    scene.shop.proxy.set("postgres", lose_commits=0.08)


def heal_postgres(scene: Scene) -> None:
    scene.shop.proxy.heal("postgres")


def commits_were_lost(scene: Scene) -> Iterable[str]:
    scene.notes["commits lost"] = scene.shop.proxy.commits_lost() - scene.notes["lost before"]
    if not scene.notes["commits lost"]:
        yield "no COMMIT's answer was lost"


def slow_postgres(scene: Scene) -> None:
    scene.shop.proxy.set("postgres", delay_ms=60)


def freeze_postgres(scene: Scene) -> None:
    scene.shop.proxy.set("postgres", frozen=True)


def reset_postgres(scene: Scene) -> None:
    for _ in range(4):
        scene.shop.proxy.reset("postgres")
        time.sleep(0.5)


def use_up_connections(scene: Scene) -> None:
    scene.notes["taken"] = scene.shop.use_up_connections()


def give_connections_back(scene: Scene) -> None:
    scene.shop.hang_up()


def lock_the_shelves(scene: Scene) -> None:
    # In the shop's own order, or it may be this lock that PostgreSQL calls off as a deadlock.
    every_shelf = "SELECT FROM inventory_stockitem ORDER BY id FOR UPDATE"
    scene.held.enter_context(scene.shop.locked(every_shelf))


def unlock_the_shelves(scene: Scene) -> None:
    scene.held.close()


def was_told_to_wait(scene: Scene) -> Iterable[str]:
    """Somebody heard 503; that each had a Retry-After, every shopper checks."""
    if not any(a.outcome == "503" for a in scene.told.attempts if a.at >= scene.began_at):
        yield "nobody was told to come back later"


def opposite_carts(scene: Scene) -> None:
    scene.shoppers.mood.opposite_carts = True
    scene.shoppers.mood.rate *= 1.5


def any_carts(scene: Scene) -> None:
    scene.shoppers.mood.opposite_carts = False
    scene.shoppers.mood.rate /= 1.5


def no_deadlock_was_seen(scene: Scene) -> Iterable[str]:
    broken = [a for a in scene.told.attempts if a.at >= scene.began_at and a.outcome == "500"]
    if broken:
        yield f"{len(broken)} shoppers heard a 500"


# --- The gateway --------------------------------------------------------------------------------


def at_gateway(*rules: Rule) -> Deed:
    """Breaks the gateway by these rules."""

    def inject(scene: Scene) -> None:
        scene.shop.gateway(*rules)

    return inject


def heal_gateway(scene: Scene) -> None:
    scene.notes["struck at the gateway"] = scene.shop.struck_at_gateway()
    scene.shop.gateway()


def gateway_was_struck(scene: Scene) -> Iterable[str]:
    if not scene.notes["struck at the gateway"]:
        yield "the gateway's fault struck nobody"


def cut_gateway_off(scene: Scene) -> None:
    scene.shop.proxy.set("gateway", refusing=True)


def reach_gateway(scene: Scene) -> None:
    scene.shop.proxy.heal("gateway")


def outage_longer_than_hold(scene: Scene) -> None:
    """At first it executes and does not answer, then it is gone altogether."""
    scene.shop.gateway(rule("reset_after", "payment_intents.create"))
    time.sleep(3.0)
    scene.shop.gateway(rule("outage"))


def called_off_at_the_cap(scene: Scene) -> Iterable[str]:
    """Nobody lost her units before the cap; who passed it was called off and nothing is kept."""
    early = scene.shop.number(
        """
        SELECT count(*) FROM orders_saga s JOIN orders_order o ON o.id = s.order_id
        JOIN orders_orderevent e ON e.order_id = o.id AND e.status = 'PAYMENT_FAILED'
        JOIN payments_payment p ON p.order_id = o.id
        WHERE s.cancel_reason = 'expired' AND p.status = 'voided' AND o.placed_at > to_timestamp(%s)
          AND e.created_at < o.placed_at + make_interval(secs => %s) - interval '1 second'
        """,
        scene.began_at,
        HOLD_SECONDS,
    )
    if early:
        yield f"{early} orders were called off before their hold had ended"


def forget_the_workers(scene: Scene) -> None:
    """Nobody applies what the banks approve until the holds are over."""
    time.sleep(2.0)
    scene.shop.stack.stop_process("worker")


def workers_return(scene: Scene) -> None:
    scene.shop.stack.start_process("worker")


def gateway_forgets(scene: Scene) -> None:
    """Asked, executed, not heard; then a day goes by, and the gateway has forgotten the keys."""
    scene.shop.gateway(rule("reset_after", "payment_intents.create", probability=0.8))
    time.sleep(4.0)
    scene.shop.stack.stop_process("worker")
    scene.shop.gateway()
    scene.shop.gateway_clock(timedelta(hours=25))
    scene.notes["aged"] = len(
        scene.shop.ask(
            "UPDATE payments_payment SET asked_at = asked_at - interval '25 hours'"
            " WHERE status = 'created' AND asked_at IS NOT NULL RETURNING id"
        )
    )
    scene.shop.stack.start_process("worker")


def keys_were_forgotten(scene: Scene) -> Iterable[str]:
    if not scene.notes["aged"]:
        yield "nobody waited for an answer when the keys were forgotten"


# --- Webhooks -----------------------------------------------------------------------------------


def strangers_call(scene: Scene) -> None:
    """Webhooks that are forged, unsigned, stale, of nobody here, or of another amount."""
    endpoint = WebhookEndpoint.objects.get()
    address = f"{scene.shop.stack.url}/stripe/webhook/{endpoint.djstripe_uuid}/"
    nobody = f"{scene.shop.stack.url}/stripe/webhook/{uuid4()}/"
    row = scene.shop.ask(
        "SELECT payload FROM payments_webhookinbox WHERE type = 'payment_intent.succeeded'"
        " AND state = 'applied' ORDER BY received_at DESC LIMIT 1"
    )
    if not row:
        scene.notes["wrong"] = ["no webhook has come yet that could be forged"]
        return
    event: dict[str, Any] = row[0][0]
    secret = endpoint.secret
    wrong: list[str] = []

    def call(what: str, expected: int, body: bytes, header: str | None, url: str = address) -> None:
        headers = {"Content-Type": "application/json"}
        if header is not None:
            headers["Stripe-Signature"] = header
        got = requests.post(url, data=body, headers=headers, timeout=20).status_code
        if got != expected:
            wrong.append(f"a webhook that is {what} was answered with {got}, not {expected}")

    def changed(number: int, **changes: Any) -> bytes:
        new = json.loads(json.dumps(event))
        new["id"] = f"evt_faults_{number}_{uuid4().hex}"
        new["data"]["object"] |= changes
        scene.notes.setdefault("ids", {})[number] = new["id"]
        return json.dumps(new).encode()

    now = int(time.time())
    more = {"amount": event["data"]["object"]["amount"] + 100_00}
    more["amount_received"] = more["amount"]
    body = changed(1)
    call("unsigned", 400, body, None)
    call("forged", 400, body, signed(body, "whsec_of_somebody_else", now))
    call("stale", 400, body, signed(body, secret, now - 3600))
    call("changed after signing", 400, changed(2, **more), signed(body, secret, now))
    call("sent to another shop", 404, body, signed(body, secret, now), nobody)
    call("garbled", 400, b"{", signed(b"{", secret, now))
    body = changed(3, **more)
    call("of another amount", 200, body, signed(body, secret, now))
    body = changed(4, id="pi_of_another_shop", metadata={})
    call("about another shop's payment", 200, body, signed(body, secret, now))
    body = changed(5, currency="eur")
    call("of another currency", 200, body, signed(body, secret, now))
    scene.notes["wrong"] = wrong


def signed(body: bytes, secret: str, at: int) -> str:
    """Stripe's header: https://docs.stripe.com/webhooks#verify-manually."""
    digest = hmac.new(secret.encode(), b"%d.%s" % (at, body), hashlib.sha256).hexdigest()
    return f"t={at},v1={digest}"


def strangers_had_no_effect(scene: Scene) -> Iterable[str]:
    yield from scene.notes["wrong"]
    wanted = {1: None, 2: None, 3: "quarantined", 4: "ignored", 5: "quarantined"}
    for number, event_id in scene.notes.get("ids", {}).items():
        rows = scene.shop.ask(
            "SELECT state FROM payments_webhookinbox WHERE event_id = %s", event_id
        )
        found = rows[0][0] if rows else None
        if found != wanted[number]:
            yield f"forged event {number} is {found}, not {wanted[number]}"


# --- Clocks -------------------------------------------------------------------------------------


def workers_clock(seconds: int) -> Deed:
    """Both workers believe that it is so much later, or earlier."""

    def inject(scene: Scene) -> None:
        for name in ("worker", "worker-background"):
            scene.shop.restart_with(name, **clock.off_by(seconds))
        scene.notes["wrong since"] = time.time()

    return inject


def served_by_wrong_clocks(scene: Scene) -> bool:
    """Ten seconds at least; and a worker needs a while to start."""
    scene.notes["moved"] = scene.shop.number(
        "SELECT count(*) FROM orders_orderevent"
        " WHERE status = 'CONFIRMED' AND created_at > to_timestamp(%s)",
        scene.notes["wrong since"],
    )
    return bool(scene.notes["moved"]) and time.time() > scene.notes["wrong since"] + 10


def set_clocks_right(scene: Scene) -> None:
    for name in ("worker", "worker-background"):
        scene.shop.restart_with(name, **clock.HONEST)


def nothing_expired_early(scene: Scene) -> Iterable[str]:
    if not scene.notes["moved"]:
        yield "no order was finished while the workers' clocks were wrong"
    yield from called_off_at_the_cap(scene)


# --- The table ----------------------------------------------------------------------------------

CREATE, CAPTURE = "payment_intents.create", "payment_intents.capture"
MUTATING = (CREATE, CAPTURE, "payment_intents.cancel", "refunds.create")

FAULTS: tuple[Fault, ...] = (
    Fault(
        name="crash-intake",
        lever="points",
        done="a web process kills itself before, and another after, the intake's COMMIT",
        comes_out="no answer, no promise; the same key makes one order, or replays it",
        inject=crash_in_intake, heal=no_more_crashes, until=all_struck,
        check=points_were_struck, seconds=60,
    ),
    Fault(
        name="crash-saga",
        lever="points",
        done="workers kill themselves at every point of every step, forward and undoing",
        comes_out="the lease ends, the step is done again under the same keys",
        inject=crash_in_saga, heal=no_more_crashes, until=all_struck,
        check=points_were_struck, seconds=120,
    ),
    Fault(
        name="crash-twice",
        lever="points",
        done="two workers in a row kill themselves at the same point, at four of them",
        comes_out="who was in that batch is carried on alone, and to its end",
        inject=crash_twice, heal=no_more_crashes, until=all_struck,
        check=points_were_struck, seconds=120,
    ),
    Fault(
        name="crash-elsewhere",
        lever="points",
        done="processes kill themselves around every commit of webhooks, refunds and mail",
        comes_out="the gateway sends again, the sweep finds the rest",
        inject=crash_elsewhere, heal=no_more_crashes, until=all_struck,
        check=points_were_struck, seconds=120,
    ),
    Fault(
        name="crash-reconciler",
        lever="points",
        done="the reconciler kills itself around its commits, while no bank's word reaches us",
        comes_out="what the gateway says is settled once, and whoever waits for it is told",
        inject=crash_in_reconciler, heal=no_more_crashes_in_reconciler, until=all_struck,
        check=points_were_struck, seconds=120, combines=False,
    ),
    Fault(
        name="worker-killed",
        lever="workers",
        done="kill -9 for the worker and its children at once",
        comes_out="started again; leases end, orders go on",
        inject=kill_worker, heal=_nothing, seconds=3,
    ),
    Fault(
        name="worker-child-killed",
        lever="workers",
        done="kill -9 for three of the worker's children, one a second",
        comes_out="replaced by their parent; leases end, orders go on",
        inject=kill_worker_children, heal=_nothing, seconds=1,
    ),
    Fault(
        name="zombie",
        lever="points",
        done="two workers are frozen (SIGSTOP) in a step, and woken (SIGCONT) after their lease",
        comes_out="somebody else has gone on; the zombie's write touches no row",
        inject=make_a_zombie, heal=wake_the_zombie, check=points_were_struck, seconds=24,
    ),
    Fault(
        name="poison-order",
        lever="orders",
        done="one order's step fails whenever it is tried",
        comes_out="its mates go on; after 12 tries it is in review; replayed, it goes through",
        inject=poison_an_order, heal=cure_and_replay, until=poison_is_in_review,
        check=poison_went_through, seconds=60, combines=False,
    ),
    Fault(
        name="deploy",
        lever="processes",
        done="every process of ours is stopped by SIGTERM and started again, one after the other",
        comes_out="who is cut off asks again; nothing accepted is lost",
        inject=deploy, heal=_nothing, seconds=1, sells=False,
    ),
    Fault(
        name="sweeper-dead",
        lever="beat",
        done="beat does not run",
        comes_out="bells carry the orders on; only what waits for a time waits longer",
        inject=stop_beat, heal=start_beat, seconds=7,
    ),
    Fault(
        name="sweeper-doubled",
        lever="beat",
        done="a second beat runs",
        comes_out="everything is rung for twice and done once",
        inject=second_beat, heal=one_beat, seconds=7,
    ),
    Fault(
        name="redis-frozen",
        lever="redis",
        done="SIGSTOP for Redis, for 30 seconds",
        comes_out="orders are accepted all the while; all of them finish",
        inject=freeze_redis, heal=thaw_redis, seconds=30,
    ),
    Fault(
        name="redis-killed",
        lever="redis",
        done="kill -9 for Redis; its snapshot is deleted; empty again after 5 seconds",
        comes_out="orders are accepted all the while; the sweep finds them",
        inject=kill_redis, heal=revive, seconds=5,
    ),
    Fault(
        name="redis-emptied",
        lever="redis",
        done="FLUSHALL, three times",
        comes_out="nothing of record was in there",
        inject=empty_redis, heal=_nothing, seconds=1,
    ),
    Fault(
        name="redis-full",
        lever="redis",
        done="maxmemory 1 MB and noeviction: every write is refused",
        comes_out="orders are accepted all the while; all of them finish",
        inject=fill_redis, heal=give_redis_room, seconds=6,
    ),
    Fault(
        name="postgres-killed",
        lever="postgres",
        done="immediate stop of PostgreSQL; started again after 4 seconds",
        comes_out="503 with Retry-After; recovery from the log; nothing accepted is lost",
        inject=kill_postgres, heal=revive, seconds=4, sells=False,
    ),
    Fault(
        name="postgres-reset",
        lever="postgres",
        done="every connection to PostgreSQL is cut, four times",
        comes_out="503 at most, new connections, no order twice",
        inject=reset_postgres, heal=_nothing, seconds=1, sells=False,
    ),
    Fault(
        name="commit-answer-lost",
        lever="postgres",
        done="the proxy lets COMMITs through, drops the server's answer and resets the connection",
        comes_out="the shopper hears that nobody knows; the same key tells",
        inject=lose_commits, heal=heal_postgres, check=commits_were_lost, seconds=7,
    ),
    Fault(
        name="postgres-slow",
        lever="postgres",
        done="60 ms more for every question to PostgreSQL",
        comes_out="orders are accepted more slowly, or told to come back",
        inject=slow_postgres, heal=heal_postgres, seconds=7, sells=False,
    ),
    Fault(
        name="postgres-frozen",
        lever="postgres",
        done="PostgreSQL takes connections and does not answer, for 13 seconds",
        comes_out="the wait is bounded: 503 with Retry-After, or 409 for who is being committed",
        inject=freeze_postgres, heal=heal_postgres, seconds=13, sells=False,
    ),
    Fault(
        name="connections-used-up",
        lever="postgres",
        done="every connection that PostgreSQL has is somebody else's",
        comes_out="503 with Retry-After, and on as soon as there are some",
        inject=use_up_connections, heal=give_connections_back, check=was_told_to_wait,
        seconds=5, sells=False,
    ),
    Fault(
        name="shelves-locked",
        lever="postgres",
        done="somebody holds a lock on every shelf for 12 seconds",
        comes_out="the wait is bounded: 503 with Retry-After",
        inject=lock_the_shelves, heal=unlock_the_shelves, check=was_told_to_wait,
        seconds=12, sells=False, combines=False,
    ),
    Fault(
        name="opposite-carts",
        lever="shoppers",
        done="everybody wants the same three goods, half of them in the opposite order",
        comes_out="no deadlock reaches a shopper",
        inject=opposite_carts, heal=any_carts, check=no_deadlock_was_seen, seconds=6,
    ),
    Fault(
        name="gateway-timeout-before",
        lever="gateway",
        done="a fifth of the gateway's calls hang and are not executed",
        comes_out="asked again under the same key; one charge",
        inject=at_gateway(rule("timeout_before", *MUTATING, probability=0.2)),
        heal=heal_gateway, check=gateway_was_struck, seconds=4,
    ),
    Fault(
        name="gateway-timeout-after",
        lever="gateway",
        done="a fifth of the gateway's calls are executed, and the answer never comes",
        comes_out="the same key tells; one charge",
        inject=at_gateway(rule("timeout_after", *MUTATING, probability=0.2)),
        heal=heal_gateway, check=gateway_was_struck, seconds=4,
    ),
    Fault(
        name="gateway-500-after",
        lever="gateway",
        done="a third of the gateway's calls are executed and answered with a 500 that replays",
        comes_out="the payment is looked up; one charge",
        inject=at_gateway(rule("error_500_after", *MUTATING, probability=0.33)),
        heal=heal_gateway, check=gateway_was_struck, seconds=4,
    ),
    Fault(
        name="gateway-409",
        lever="gateway",
        done="half of the gateway's calls are answered with 409",
        comes_out="asked again later; one charge",
        inject=at_gateway(rule("conflict_409", *MUTATING, probability=0.5)),
        heal=heal_gateway, check=gateway_was_struck, seconds=4,
    ),
    Fault(
        name="gateway-429",
        lever="gateway",
        done="half of the gateway's calls are answered with 429",
        comes_out="asked again later; one charge",
        inject=at_gateway(rule("rate_limit_429", *MUTATING, probability=0.5)),
        heal=heal_gateway, check=gateway_was_struck, seconds=4,
    ),
    Fault(
        name="gateway-reset",
        lever="gateway",
        done="half of the gateway's calls are reset, before or after they are executed",
        comes_out="the same key tells; one charge",
        inject=at_gateway(
            rule("reset_before", *MUTATING, probability=0.25),
            rule("reset_after", *MUTATING, probability=0.25),
        ),
        heal=heal_gateway, check=gateway_was_struck, seconds=4,
    ),
    Fault(
        name="gateway-outage",
        lever="gateway",
        done="nobody gets through to the gateway for 30 seconds",
        comes_out="orders are accepted all the while; holds are kept; one charge each afterwards",
        inject=cut_gateway_off, heal=reach_gateway, seconds=30,
    ),
    Fault(
        name="gateway-forgets-keys",
        lever="gateway",
        done="payments are made and not heard of, then a day passes and the keys are forgotten",
        comes_out="looked up before asked again; never a second charge",
        inject=gateway_forgets, heal=_nothing, check=keys_were_forgotten, seconds=1, combines=False,
    ),
    Fault(
        name="webhook-fiftyfold",
        lever="gateway",
        done="some webhooks come fifty times at once",
        comes_out="one effect, whatever the order",
        inject=at_gateway(rule("webhook_duplicate", probability=0.05, number=50, count=30)),
        heal=heal_gateway, check=gateway_was_struck, seconds=4,
    ),
    Fault(
        name="webhook-early",
        lever="gateway",
        done="webhooks come before the call that caused them returns",
        comes_out="one effect, whatever the order",
        inject=at_gateway(rule("webhook_before_answer")),
        heal=heal_gateway, check=gateway_was_struck, seconds=4,
    ),
    Fault(
        name="webhook-reordered",
        lever="gateway",
        done="the last event comes first: failed after succeeded, created after captured",
        comes_out="the books move forward only",
        inject=at_gateway(rule("webhook_reorder")),
        heal=heal_gateway, check=gateway_was_struck, seconds=4,
    ),
    Fault(
        name="webhook-forged",
        lever="gateway",
        done="webhooks unsigned, forged, stale, for another shop, of another amount or currency",
        comes_out="400 or 404 and nothing kept, or quarantined; no effect",
        inject=strangers_call, heal=_nothing, check=strangers_had_no_effect, seconds=2,
        combines=False,
    ),
    Fault(
        name="webhook-never",
        lever="gateway",
        done="no webhook comes at all",
        comes_out="whoever waits for one is asked for at her deadline",
        inject=at_gateway(rule("webhook_drop")),
        heal=heal_gateway, check=gateway_was_struck, seconds=10,
        short_holds=True, combines=False,
    ),
    Fault(
        name="outage-longer-than-hold",
        lever="gateway",
        done="the gateway executes and does not answer, then is gone past the cap of holds",
        comes_out="holds are kept to their cap; then intents are cancelled and units released",
        inject=outage_longer_than_hold, heal=heal_gateway, check=called_off_at_the_cap,
        seconds=HOLD_CAP_SECONDS + 6, combines=False,
        short_holds=True,
    ),
    Fault(
        name="success-after-hold",
        lever="workers",
        done="banks approve while no worker runs, until the holds are over",
        comes_out="confirmed, or called off with the money back; never both",
        inject=forget_the_workers, heal=workers_return, seconds=HOLD_SECONDS + 2, combines=False,
        short_holds=True,
    ),
    Fault(
        name="clock-ahead",
        lever="workers",
        done="the workers' clocks are ten minutes ahead",
        comes_out="nothing expires early, orders go on: PostgreSQL's clock decides",
        inject=workers_clock(600), heal=set_clocks_right,
        until=served_by_wrong_clocks, check=nothing_expired_early, seconds=60,
        missing=clock.missing, combines=False,
        short_holds=True,
    ),
    Fault(
        name="clock-behind",
        lever="workers",
        done="the workers' clocks are ten minutes behind",
        comes_out="nothing stays longer than it may, orders go on",
        inject=workers_clock(-600), heal=set_clocks_right,
        until=served_by_wrong_clocks, check=nothing_expired_early, seconds=60,
        missing=clock.missing, combines=False,
        short_holds=True,
    ),
)  # fmt: skip
BY_NAME = {fault.name: fault for fault in FAULTS}


def combinations(seed: int) -> Iterator[tuple[Fault, ...]]:
    """Two or three at once, without end; the same for the same seed."""
    dice = random.Random(f"combinations {seed}")
    able = [fault for fault in FAULTS if fault.combines]
    while True:
        together = dice.sample(able, dice.choice((2, 2, 3)))
        if len({fault.lever for fault in together}) == len(together):
            yield tuple(together)
