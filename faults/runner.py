"""One fault after the other, while people buy, and what came of each.

    1. break      `inject`, then as many seconds as the table says, or until enough was seen
    2. heal       and note when the next order is accepted
    3. rest       until every order placed before is at its end, in review, or waits for its shopper
    4. look       nothing lost, the gateway agrees, nobody in review, no invariant ever broken, no
                  shopper told two different things, and what only this fault could have left behind

The shoppers never pause: what is measured in 1 and 2 is a shop that sells. After the table come
combinations, drawn from the seed, for as long as there is time. At the very end the shop is closed,
everybody who still asks is answered, and the books are gone through whole.
"""

import os
import platform
import random
import threading
import time
import traceback
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from django.db import DatabaseError, connection
from django.db.models import F

from apps.inventory import stock
from apps.promos.models import Promo
from faults import watch
from faults.load import ACCEPTED, AGAIN, REPLAYED, Shoppers, Told
from faults.matrix import Fault, Scene, combinations, points
from faults.shop import COLD, HOT, PROMO, SCARCE, Shop

LOOK = 0.25  # seconds
CALM_BEFORE = 3.0  # seconds of undisturbed sale at the beginning
AT_REST_IN = timedelta(seconds=120)  # at the end, everything
COMBINED_SECONDS = 12.0
COMBINED_AT_LEAST = 2
Say = Callable[[str], None]


@dataclass(slots=True)
class Row:
    """What came of one fault (or several at once). Moments are time.time()."""

    name: str
    done: str
    comes_out: str
    began_at: float = 0.0
    healed_at: float = 0.0
    rested_at: float = 0.0
    accepted: int = 0
    attempts: dict[str, int] = field(default_factory=dict)
    codes: dict[str, int] = field(default_factory=dict)
    replays: int = 0
    struck: dict[str, int] = field(default_factory=dict)
    p99_s: float | None = None
    first_accepted_s: float | None = None
    recovery_s: float | None = None
    notes: dict[str, Any] = field(default_factory=dict)
    wrong: list[str] = field(default_factory=list)
    not_run: str = ""

    @property
    def verdict(self) -> str:
        return "not run" if self.not_run else "red" if self.wrong else "green"


class Run:
    """One whole run over a shop that is open."""

    def __init__(self, shop: Shop, *, seed: int, folder: Path, say: Say) -> None:
        self.shop = shop
        self.seed = seed
        self.say = say
        self.rows: list[Row] = []
        self.closing: list[str] = []
        self.began_at = time.time()
        self._trouble = folder / "trouble.log"
        self.told = Told(log=folder / "accepted.txt")
        self.told.log.write_text("")
        self.shoppers = Shoppers(url=shop.stack.url, seed=seed, told=self.told)
        self.watcher = watch.Watcher(during=lambda: self._during)
        self._during = "nothing"
        self._ending = threading.Event()
        self._supplier = threading.Thread(target=self._supply, name="supplier", daemon=True)

    def __call__(
        self, faults: Sequence[tuple[Fault, ...]], *, until: float, combined: bool
    ) -> None:
        """Every one of `faults` (a tuple of several: at once); then combinations, until `until`.

        Two of those at least.
        """
        self._supplier.start()
        self.watcher.start()
        self.shoppers.start()
        books_at_the_end = False
        try:
            time.sleep(CALM_BEFORE)
            for together in faults:
                self._one(together)
            if combined:
                self._combinations(until)
            books_at_the_end = True
        finally:
            # Whoever presses Ctrl-C wants to leave.
            self._during = "closing"
            self.say("closing the shop")
            self.shoppers.close(patience=60.0 if books_at_the_end else 0.0)
            if books_at_the_end:
                self._close_the_books()
            self._ending.set()
            self.watcher.stop()

    def _combinations(self, until: float) -> None:
        for count, together in enumerate(combinations(self.seed)):
            if count >= COMBINED_AT_LEAST and time.monotonic() + 45 > until:
                break
            self._one(together)

    # --- One fault, or several at once -----------------------------------------------------------

    def _one(self, together: tuple[Fault, ...]) -> None:
        row = Row(
            name=" + ".join(fault.name for fault in together),
            done="; ".join(fault.done for fault in together),
            comes_out="; ".join(fault.comes_out for fault in together),
        )
        self.rows.append(row)
        row.not_run = next(filter(None, (fault.missing() for fault in together)), "")
        if row.not_run:
            self.say(f"  --   {row.name}: not run: {row.not_run}")
            return
        self.shop.use_holds(short=any(fault.short_holds for fault in together))
        dice = random.Random(f"{self.seed} {row.name}")
        scenes = [Scene(self.shop, self.shoppers, self.told, dice) for _ in together]
        struck_before = self._struck()
        row.began_at = time.time()
        self._during = row.name
        for scene in scenes:
            scene.began_at = row.began_at
        try:
            self._break_and_heal(together, scenes, row)
            row.healed_at = time.time()
            self._rest(together, row)
            self._look(together, scenes, row)
        except Exception as error:  # the report must be written all the same
            row.healed_at = row.healed_at or time.time()
            row.wrong.append(f"{type(error).__name__}: {error}")
            with self._trouble.open("a") as file:
                file.write(f"{row.name}\n{traceback.format_exc()}\n")
        row.struck = dict(self._struck() - struck_before)
        self._count(row)
        self._during = "nothing"
        self.say(_told_in_a_line(row))

    def _break_and_heal(self, together: tuple[Fault, ...], scenes: list[Scene], row: Row) -> None:
        injected: list[tuple[Fault, Scene]] = []
        try:
            for fault, scene in zip(together, scenes, strict=True):
                injected.append((fault, scene))
                fault.inject(scene)
            longest = max(fault.seconds for fault in together)
            if len(together) > 1:
                longest = min(longest, COMBINED_SECONDS)
            ends = time.monotonic() + longest
            while time.monotonic() < ends:
                if all(fault.until(scene) for fault, scene in injected):
                    break
                time.sleep(LOOK)
        finally:
            for fault, scene in reversed(injected):
                fault.heal(scene)
                scene.healed_at = time.time()

    def _rest(self, together: tuple[Fault, ...], row: Row) -> None:
        patience = max(fault.patience for fault in together)

        def at_rest() -> bool:
            if row.first_accepted_s is None:
                row.first_accepted_s = self._first_accepted_after(row.healed_at)
            sold = row.first_accepted_s is not None
            return sold and watch.under_way(self.shop, from_before=row.healed_at) == 0

        if watch.await_(at_rest, patience):
            row.rested_at = time.time()
            row.recovery_s = round(row.rested_at - row.healed_at, 1)
        else:
            left = watch.under_way(self.shop, from_before=row.healed_at)
            row.rested_at = time.time()
            row.wrong.append(
                f"{left} orders, webhooks or refunds under way {patience.seconds} s after healing"
                if row.first_accepted_s is not None
                else f"no order was accepted within {patience.seconds} s after healing"
            )

    def _look(self, together: tuple[Fault, ...], scenes: list[Scene], row: Row) -> None:
        connection.close()  # perhaps it was PostgreSQL that was broken
        alone = len(together) == 1
        for fault, scene in zip(together, scenes, strict=True):
            row.notes |= {k: v for k, v in scene.notes.items() if isinstance(v, int | str)}
            # Together one may hide what the other does; the invariants are asked all the same.
            row.wrong += fault.check(scene) if alone else ()
        if alone and together[0].sells and not self._accepted_between(row.began_at, row.healed_at):
            row.wrong.append("no order was accepted while it lasted")
        since = timedelta(seconds=time.time() - row.began_at + 30)
        row.wrong += watch.gateway_disagrees(since=since)
        row.wrong += watch.lost(list(self.told.accepted.values()))
        cases = self.shop.ask(
            "SELECT o.number, s.review_reason, s.last_error FROM orders_saga s"
            " JOIN orders_order o ON o.id = s.order_id WHERE s.state = 'review'"
            " AND s.updated_at > to_timestamp(%s)",
            row.began_at,
        )
        row.wrong += [f"order {order} is in review: {why} ({last})" for order, why, last in cases]
        self.watcher.look()
        row.wrong += [
            f"invariant {seen.number}, {seen.name}: {seen.example}"
            for seen in self.watcher.violations
            if seen.at >= row.began_at
        ]
        row.wrong += [text for at, text in self.told.wrong if at >= row.began_at]

    def _count(self, row: Row) -> None:
        ends = row.rested_at or time.time()
        attempts = [a for a in self.told.attempts if row.began_at <= a.at <= ends]
        row.attempts = dict(Counter(attempt.outcome for attempt in attempts))
        row.codes = dict(Counter(attempt.code for attempt in attempts if attempt.code))
        row.accepted = self._accepted_between(row.began_at, ends)
        row.replays = sum(row.began_at <= at <= ends for at in self.told.replays)
        during = sorted(
            attempt.seconds
            for attempt in attempts
            if attempt.at <= row.healed_at and attempt.outcome in (ACCEPTED, REPLAYED)
        )
        if during:
            row.p99_s = round(during[min(len(during) - 1, int(len(during) * 0.99))], 3)

    def _accepted_between(self, begin: float, end: float) -> int:
        return sum(begin <= at <= end for at in self.told.accepted_at)

    def _first_accepted_after(self, moment: float) -> float | None:
        later = [at for at in self.told.accepted_at if at > moment]
        return round(min(later) - moment, 2) if later else None

    def _struck(self) -> Counter[str]:
        return Counter({name: len(pids) for name, pids in self.shop.struck().items()})

    # --- Supplies --------------------------------------------------------------------------------

    def _supply(self) -> None:
        """So that sales never dry up: units for the shelves, uses for the promo."""
        wanted = {HOT: 400, SCARCE: 3} | dict.fromkeys(COLD, 200)
        while not self._ending.wait(1.0):
            try:
                for sku, available in stock.availability(wanted).items():
                    if available < wanted[sku] / 2 + 1:
                        stock.receive(
                            sku=sku, quantity=wanted[sku], reason="faults", actor="faults"
                        )
                promo = Promo.objects.filter(code=PROMO, used__gte=F("total_limit"))
                if self._ending.wait(2.0):
                    break
                promo.update(total_limit=F("total_limit") + 15)
            except DatabaseError:
                connection.close()  # it is PostgreSQL that is being broken
        connection.close()

    # --- The end ---------------------------------------------------------------------------------

    def _close_the_books(self) -> None:
        wrong = self.closing
        connection.close()
        if self.told.unanswered:
            wrong.append(f"{len(self.told.unanswered)} shoppers were never answered")
        if not watch.await_(
            lambda: watch.under_way(self.shop, from_before=time.time()) == 0, AT_REST_IN
        ):
            left = watch.under_way(self.shop, from_before=time.time())
            wrong.append(f"{left} things are still under way at the end")
        self.watcher.look()
        wrong += watch.gateway_disagrees(since=timedelta(days=2))
        wrong += watch.lost(list(self.told.accepted.values()))
        keys = list(self.told.accepted)
        wrong += watch.never_promised(self.shop, keys, self.told.unanswered)
        wrong += watch.charged_twice(self.shop)
        wrong += watch.liveness()
        wrong += [
            f"invariant {seen.number}, {seen.name}: {seen.example} (during {seen.during})"
            for seen in self.watcher.violations
        ]
        wrong += [text for at, text in self.told.wrong]
        self.ended_at = time.time()

    # --- What is written down --------------------------------------------------------------------

    def record(self) -> dict[str, Any]:
        """The whole run, as report.json has it."""
        rows = [asdict(row) | {"verdict": row.verdict} for row in self.rows]
        ran = [row for row in self.rows if not row.not_run]
        struck = self._struck()
        recoveries = [row.recovery_s for row in ran if row.recovery_s is not None]
        red = self.closing or any(row.wrong for row in ran)
        return {
            "seed": self.seed,
            "began_at": self.began_at,
            "began": datetime.fromtimestamp(self.began_at, UTC).isoformat(timespec="seconds"),
            "seconds": round(self.ended_at - self.began_at, 1),
            "machine": machine(),
            "verdict": "red" if red else "green",
            "totals": {
                "faults_injected": len(ran),
                "combinations": sum(" + " in row.name for row in ran),
                "not_run": len(self.rows) - len(ran),
                "crash_points_declared": len(points("")),
                "crash_points_struck": len(struck),
                "processes_killed_at_points": sum(struck.values()),
                "orders_accepted": len(self.told.accepted),
                "requests_repeated": sum(
                    attempt.outcome in AGAIN for attempt in self.told.attempts
                ),
                "replays_compared": len(self.told.replays),
                "orders_lost": len(watch.lost(list(self.told.accepted.values()))),
                "orders_doubled": len(
                    watch.never_promised(self.shop, self.told.accepted, self.told.unanswered)
                )
                + len(watch.charged_twice(self.shop)),
                "violations": len(self.watcher.violations),
                "looks_at_the_books": self.watcher.looks,
                "longest_recovery_s": max(recoveries, default=None),
            },
            "attempts": dict(Counter(attempt.outcome for attempt in self.told.attempts)),
            "orders": dict(self.shop.ask("SELECT status, count(*) FROM orders_order GROUP BY 1")),
            "struck": dict(sorted(struck.items())),
            "rows": rows,
            "closing": self.closing,
            "timeline": self._timeline(),
        }

    def _timeline(self) -> dict[str, list[int]]:
        """Per second since the beginning."""
        seconds = int(self.ended_at - self.began_at) + 1
        lines = {name: [0] * seconds for name in ("accepted", "finished", "failed")}

        def put(name: str, at: float, count: int = 1) -> None:
            second = int(at - self.began_at)
            if 0 <= second < seconds:
                lines[name][second] += count

        for at in self.told.accepted_at:
            put("accepted", at)
        for attempt in self.told.attempts:
            if attempt.outcome in AGAIN:
                put("failed", attempt.at + attempt.seconds)
        for at, count in self.shop.ask(
            "SELECT extract(epoch FROM date_trunc('second', created_at))::float8, count(*)"
            " FROM orders_orderevent WHERE status IN ('CONFIRMED', 'CANCELLED') GROUP BY 1"
        ):
            put("finished", at, count)
        return lines


def machine() -> dict[str, Any]:
    """Where this was measured."""
    with open("/proc/meminfo") as file:
        kilobytes = int(file.readline().split()[1])
    return {
        "cores": os.cpu_count(),
        "memory_gb": round(kilobytes / 1024 / 1024, 1),
        "python": platform.python_version(),
        "kernel": platform.release(),
    }


def _told_in_a_line(row: Row) -> str:
    mark = {"green": "ok ", "red": "RED"}[row.verdict]
    seen = [f"{row.accepted} accepted"]
    seen += [
        f"{count} {outcome}" for outcome, count in sorted(row.attempts.items()) if outcome in AGAIN
    ]
    if row.replays:
        seen.append(f"{row.replays} replays compared")
    if row.struck:
        seen.append(f"{sum(row.struck.values())} struck")
    lasted = row.healed_at - row.began_at
    rest = "not at rest" if row.recovery_s is None else f"at rest in {row.recovery_s:.1f} s"
    line = f"  {mark}  {row.name:24} {lasted:5.1f} s, {rest}; {', '.join(seen)}"
    return "\n".join([line, *(f"         {text}" for text in row.wrong[:8])])
