"""PostgreSQL is killed, cut off, slow, frozen, out of connections, or locked."""

import time
from collections.abc import Iterable

from tools.faults.matrix.fault import Fault, FaultContext, nothing
from tools.faults.matrix.redis import start_servers


def kill_postgres(context: FaultContext) -> None:
    context.shop.postgres.kill()


def lose_commits(context: FaultContext) -> None:
    context.notes["lost before"] = context.shop.proxy.commits_lost()
    context.shop.proxy.set("postgres", lose_commits=0.08)


def heal_postgres(context: FaultContext) -> None:
    context.shop.proxy.heal("postgres")


def commits_were_lost(context: FaultContext) -> Iterable[str]:
    context.notes["commits lost"] = context.shop.proxy.commits_lost() - context.notes["lost before"]
    if not context.notes["commits lost"]:
        yield "no COMMIT's answer was lost"


def slow_postgres(context: FaultContext) -> None:
    context.shop.proxy.set("postgres", delay_ms=60)


def freeze_postgres(context: FaultContext) -> None:
    context.shop.proxy.set("postgres", frozen=True)


def reset_postgres(context: FaultContext) -> None:
    for _ in range(4):
        context.shop.proxy.reset("postgres")
        time.sleep(0.5)


def use_up_connections(context: FaultContext) -> None:
    context.notes["connections taken"] = context.shop.postgres.use_up_connections()


def release_connections(context: FaultContext) -> None:
    context.shop.postgres.release_connections()


def lock_stock_rows(context: FaultContext) -> None:
    # In the shop's own order, or PostgreSQL may end this statement to resolve a deadlock.
    stock_rows = "SELECT FROM inventory_stockitem ORDER BY id FOR UPDATE"
    context.held.enter_context(context.shop.postgres.locked(stock_rows))


def unlock_stock_rows(context: FaultContext) -> None:
    context.held.close()


def someone_got_503(context: FaultContext) -> Iterable[str]:
    """Whether any shopper got a 503; that each has a Retry-After, the shoppers check."""
    if not any(a.outcome == "503" for a in context.answers.attempts if a.at >= context.began_at):
        yield "no shopper was answered 503"


def opposite_carts(context: FaultContext) -> None:
    context.shoppers.settings.opposite_carts = True
    context.shoppers.settings.rate *= 1.5


def any_carts(context: FaultContext) -> None:
    context.shoppers.settings.opposite_carts = False
    context.shoppers.settings.rate /= 1.5


def nobody_got_500(context: FaultContext) -> Iterable[str]:
    broken = [
        a for a in context.answers.attempts if a.at >= context.began_at and a.outcome == "500"
    ]
    if broken:
        yield f"{len(broken)} shoppers got a 500"


FAULTS: tuple[Fault, ...] = (
    Fault(
        name="postgres-killed",
        target="postgres",
        action="immediate stop of PostgreSQL; started again after 4 seconds",
        expected="503 with Retry-After; recovery from the log; nothing accepted is lost",
        inject=kill_postgres, heal=start_servers, seconds=4, sells=False,
    ),
    Fault(
        name="postgres-reset",
        target="postgres",
        action="every connection to PostgreSQL is cut, four times",
        expected="503 at most, new connections, no order twice",
        inject=reset_postgres, heal=nothing, seconds=1, sells=False,
    ),
    Fault(
        name="commit-answer-lost",
        target="postgres",
        action="the proxy passes COMMITs on, drops the server's answer and cuts the connection",
        expected="503 outcome_unknown; the same key then replays or makes one order",
        inject=lose_commits, heal=heal_postgres, check=commits_were_lost, seconds=7,
    ),
    Fault(
        name="postgres-slow",
        target="postgres",
        action="60 ms more for every statement",
        expected="orders are accepted more slowly, or answered 503",
        inject=slow_postgres, heal=heal_postgres, seconds=7, sells=False,
    ),
    Fault(
        name="postgres-frozen",
        target="postgres",
        action="PostgreSQL takes connections and does not answer, for 13 seconds",
        expected="the wait is bounded: 503 with Retry-After, 409 while the first request commits",
        inject=freeze_postgres, heal=heal_postgres, seconds=13, sells=False,
    ),
    Fault(
        name="connections-used-up",
        target="postgres",
        action="every connection of PostgreSQL is taken by another program",
        expected="503 with Retry-After; accepted again once there are connections",
        inject=use_up_connections, heal=release_connections, check=someone_got_503,
        seconds=5, sells=False,
    ),
    Fault(
        name="stock-rows-locked",
        target="postgres",
        action="another session holds a lock on every stock row for 12 seconds",
        expected="the wait is bounded: 503 with Retry-After",
        inject=lock_stock_rows, heal=unlock_stock_rows, check=someone_got_503,
        seconds=12, sells=False, combines=False,
    ),
    Fault(
        name="opposite-carts",
        target="shoppers",
        action="all carts have the same three SKUs, half of them in the opposite order",
        expected="no deadlock reaches a shopper",
        inject=opposite_carts, heal=any_carts, check=nobody_got_500, seconds=6,
    ),
)  # fmt: skip
