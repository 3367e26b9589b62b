"""Runs one fault after the other under load, and checks the outcome of each.

    1. break      `inject`, then as many seconds as the table says, or until `until` is true
    2. heal       and note when the next order is accepted
    3. wait       until every order placed before is at its end, in review, or waits for its shopper
    4. check      nothing lost, the gateway agrees, no order in review, no invariant ever violated,
                  no two different answers to one request, and what only this fault could have left

The load never pauses: what is measured in 1 and 2 is a shop that sells. After the table come
combinations, drawn from the seed, as long as there is time. At the very end the load ends, every
open request is answered, and everything is checked once more.
"""

import random
import time
import traceback
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import timedelta
from pathlib import Path

from django.db import connection

from tools.faults import watch
from tools.faults.answer_log import AnswerLog
from tools.faults.matrix import combinations
from tools.faults.matrix.fault import Fault, FaultContext
from tools.faults.result import FaultResult, summary
from tools.faults.shop import Shop
from tools.faults.shoppers import Shoppers
from tools.faults.supplier import Supplier

POLL_SECONDS = 0.25
CALM_BEFORE = 3.0  # seconds of undisturbed load at the beginning
AT_REST_IN = timedelta(seconds=120)  # at the end, everything
COMBINED_SECONDS = 12.0
COMBINED_AT_LEAST = 2
Say = Callable[[str], None]


class Run:
    """One whole run over a running shop."""

    def __init__(self, shop: Shop, *, seed: int, folder: Path, say: Say) -> None:
        self.shop = shop
        self.seed = seed
        self.say = say
        self.rows: list[FaultResult] = []
        self.closing: list[str] = []
        self.began_at = time.time()
        self._tracebacks = folder / "trouble.log"
        self.log = AnswerLog(file=folder / "accepted.txt")
        self.log.file.write_text("")
        self.shoppers = Shoppers(url=shop.stack.url, seed=seed, log=self.log)
        self.watcher = watch.Watcher(during=lambda: self._during)
        self._during = "nothing"
        self._supplier = Supplier()

    def __call__(
        self, faults: Sequence[tuple[Fault, ...]], *, until: float, combined: bool
    ) -> None:
        """Run every one of `faults` (those of one tuple at once), then combinations.

        Combinations go on until `until` (time.monotonic()), and are two at least.
        """
        self._supplier.start()
        self.watcher.start()
        self.shoppers.start()
        finished = False
        try:
            time.sleep(CALM_BEFORE)
            for together in faults:
                self._run_fault(together)
            if combined:
                self._combinations(until)
            finished = True
        finally:
            # After Ctrl-C nothing is waited for.
            self._during = "closing"
            self.say("ending the load")
            self.shoppers.close(patience=60.0 if finished else 0.0)
            if finished:
                self._check_at_the_end()
            self._supplier.stop()
            self.watcher.stop()

    def _combinations(self, until: float) -> None:
        for count, together in enumerate(combinations(self.seed)):
            if count >= COMBINED_AT_LEAST and time.monotonic() + 45 > until:
                break
            self._run_fault(together)

    # --- One fault, or several at once -----------------------------------------------------------

    def _run_fault(self, together: tuple[Fault, ...]) -> None:
        row = FaultResult(
            name=" + ".join(fault.name for fault in together),
            action="; ".join(fault.action for fault in together),
            expected="; ".join(fault.expected for fault in together),
        )
        self.rows.append(row)
        row.not_run = next(filter(None, (fault.missing() for fault in together)), "")
        if row.not_run:
            self.say(f"  --   {row.name}: not run: {row.not_run}")
            return
        self.shop.use_holds(short=any(fault.short_holds for fault in together))
        dice = random.Random(f"{self.seed} {row.name}")
        contexts = [FaultContext(self.shop, self.shoppers, self.log, dice) for _ in together]
        struck_before = self.struck()
        row.began_at = time.time()
        self._during = row.name
        for context in contexts:
            context.began_at = row.began_at
        try:
            self._break_and_heal(together, contexts, row)
            row.healed_at = time.time()
            self._wait_until_at_rest(together, row)
            self._check(together, contexts, row)
        except Exception as error:  # the report must be written nevertheless
            row.healed_at = row.healed_at or time.time()
            row.wrong.append(f"{type(error).__name__}: {error}")
            with self._tracebacks.open("a") as file:
                file.write(f"{row.name}\n{traceback.format_exc()}\n")
        row.struck = dict(self.struck() - struck_before)
        row.count(self.log, until=row.rested_at or time.time())
        self._during = "nothing"
        self.say(summary(row))

    def _break_and_heal(
        self, together: tuple[Fault, ...], contexts: list[FaultContext], row: FaultResult
    ) -> None:
        injected: list[tuple[Fault, FaultContext]] = []
        try:
            for fault, context in zip(together, contexts, strict=True):
                injected.append((fault, context))
                fault.inject(context)
            longest = max(fault.seconds for fault in together)
            if len(together) > 1:
                longest = min(longest, COMBINED_SECONDS)
            ends = time.monotonic() + longest
            while time.monotonic() < ends:
                if all(fault.until(context) for fault, context in injected):
                    break
                time.sleep(POLL_SECONDS)
        finally:
            for fault, context in reversed(injected):
                fault.heal(context)
                context.healed_at = time.time()

    def _wait_until_at_rest(self, together: tuple[Fault, ...], row: FaultResult) -> None:
        patience = max(fault.patience for fault in together)

        def at_rest() -> bool:
            if row.first_accepted_s is None:
                row.first_accepted_s = self.log.first_accepted_after(row.healed_at)
            accepts = row.first_accepted_s is not None
            return accepts and watch.under_way(self.shop, from_before=row.healed_at) == 0

        if watch.wait_for(at_rest, patience):
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

    def _check(
        self, together: tuple[Fault, ...], contexts: list[FaultContext], row: FaultResult
    ) -> None:
        connection.close()  # it may be broken, if PostgreSQL was
        alone = len(together) == 1
        for fault, context in zip(together, contexts, strict=True):
            row.notes |= {k: v for k, v in context.notes.items() if isinstance(v, int | str)}
            # One fault may hide the effect of another; the invariants are checked all the same.
            row.wrong += fault.check(context) if alone else ()
        if (
            alone
            and together[0].sells
            and not self.log.accepted_between(row.began_at, row.healed_at)
        ):
            row.wrong.append("no order was accepted during the fault")
        since = timedelta(seconds=time.time() - row.began_at + 30)
        row.wrong += watch.gateway_disagrees(since=since)
        row.wrong += watch.lost(list(self.log.accepted.values()))
        cases = self.shop.ask(
            "SELECT o.number, s.review_reason, s.last_error FROM orders_saga s"
            " JOIN orders_order o ON o.id = s.order_id WHERE s.state = 'review'"
            " AND s.updated_at > to_timestamp(%s)",
            row.began_at,
        )
        row.wrong += [f"order {order} is in review: {why} ({last})" for order, why, last in cases]
        self.watcher.check()
        row.wrong += [
            f"invariant {seen.number}, {seen.name}: {seen.example}"
            for seen in self.watcher.violations
            if seen.at >= row.began_at
        ]
        row.wrong += [text for at, text in self.log.complaints if at >= row.began_at]

    def struck(self) -> Counter[str]:
        return Counter({name: len(pids) for name, pids in self.shop.points.struck().items()})

    # --- The end ---------------------------------------------------------------------------------

    def _check_at_the_end(self) -> None:
        wrong = self.closing
        connection.close()
        if self.log.unanswered:
            wrong.append(f"{len(self.log.unanswered)} requests were never answered")
        if not watch.wait_for(
            lambda: watch.under_way(self.shop, from_before=time.time()) == 0, AT_REST_IN
        ):
            left = watch.under_way(self.shop, from_before=time.time())
            wrong.append(f"{left} orders, webhooks or refunds are still under way at the end")
        self.watcher.check()
        wrong += watch.gateway_disagrees(since=timedelta(days=2))
        wrong += watch.lost(list(self.log.accepted.values()))
        keys = list(self.log.accepted)
        wrong += watch.never_answered(self.shop, keys, self.log.unanswered)
        wrong += watch.charged_twice(self.shop)
        wrong += watch.liveness()
        wrong += [
            f"invariant {seen.number}, {seen.name}: {seen.example} (during {seen.during})"
            for seen in self.watcher.violations
        ]
        wrong += [text for at, text in self.log.complaints]
        self.ended_at = time.time()
