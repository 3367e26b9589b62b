"""Every Redis server is frozen, killed, emptied, or full."""

import time

from tools.faults.matrix.fault import Fault, FaultContext, nothing


def freeze_redis(context: FaultContext) -> None:
    context.shop.redis.freeze()


def thaw_redis(context: FaultContext) -> None:
    context.shop.redis.thaw()


def kill_redis(context: FaultContext) -> None:
    context.shop.redis.kill()


def start_servers(context: FaultContext) -> None:
    context.shop.start_servers()


def empty_redis(context: FaultContext) -> None:
    for _ in range(3):
        context.shop.redis.empty()
        time.sleep(1.0)


def fill_redis(context: FaultContext) -> None:
    context.shop.redis.fill()


def give_redis_room(context: FaultContext) -> None:
    context.shop.redis.give_room()


FAULTS: tuple[Fault, ...] = (
    Fault(
        name="redis-frozen",
        target="redis",
        action="SIGSTOP for every Redis, for 30 seconds",
        expected="orders are accepted all the time; all of them finish",
        inject=freeze_redis, heal=thaw_redis, seconds=30,
    ),
    Fault(
        name="redis-killed",
        target="redis",
        action="kill -9 for every Redis; snapshots are deleted; empty again after 5 seconds",
        expected="orders are accepted all the time; the sweep finds them",
        inject=kill_redis, heal=start_servers, seconds=5,
    ),
    Fault(
        name="redis-emptied",
        target="redis",
        action="FLUSHALL in every Redis, three times",
        expected="nothing of record is kept there",
        inject=empty_redis, heal=nothing, seconds=1,
    ),
    Fault(
        name="redis-full",
        target="redis",
        action="maxmemory 1 MB and noeviction everywhere: every write is refused",
        expected="orders are accepted all the time; all of them finish",
        inject=fill_redis, heal=give_redis_room, seconds=6,
    ),
)  # fmt: skip
