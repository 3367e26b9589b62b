"""Order status pushed to open pages: its delay, and the memory of an open page."""

import asyncio
import json
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from pathlib import Path
from statistics import quantiles
from typing import Any

import psutil
import websockets

from tools.bench.bench import Bench, median_by
from tools.bench.findings import Findings, Plot
from tools.bench.shop import Shop

ENDINGS = ("CONFIRMED", "CANCELLED")


def live(bench: Bench) -> Findings:
    """Open a page for every order while the worker is frozen, then let the worker go on."""
    pages = 50 if bench.quick else 2_000
    runs = []
    for number in range(bench.runs):
        runs.append(_once(bench.shop, pages))
        bench.say(
            f"{pages:,} pages, {number + 1}/{bench.runs}: {runs[-1]['pushes']:,} pushes,"
            f" p99 {runs[-1]['p99_ms']:,.0f} ms late, {runs[-1]['kib']} KiB a page"
        )
        bench.shop.audit()
    bench.shop.reset()
    return Findings(
        name="live",
        title="Status pushed to open pages",
        about=(
            "One websocket for each order under way, all from this machine. Late is the time from"
            " the beginning of the transaction that moved the order, by the database's clock, to"
            " the message's arrival at the page, while the workers carry all orders on at once."
            " A page's memory is what the live process grew by, divided by the pages."
        ),
        columns={
            "pages": "pages open",
            "pushes": "pushes",
            "p50_ms": "late p50 ms",
            "p99_ms": "p99 ms",
            "max_ms": "most ms",
            "kib": "KiB a page",
        },
        rows=[median_by(runs, "p99_ms")],
        plots=[
            Plot(title="how late a push is", kind="bars", x="share", y="late_ms", unit="ms",
                 mark=500),
        ],
        plotted=[
            {"share": name, "late_ms": median_by(runs, "p99_ms")[field]}
            for name, field in (("half of them", "p50_ms"), ("99 of 100", "p99_ms"),
                                ("the last", "max_ms"))
        ],
    )  # fmt: skip


def _once(shop: Shop, pages: int) -> dict[str, Any]:
    shop.reset()
    with shop.frozen("worker"):
        with ThreadPoolExecutor(8) as pool:
            orders = list(pool.map(lambda _: shop.place_order(), range(pages)))
        before = _memory(shop.stack.pid("live"))
        watching = _Watching(orders)
        watching.open()
        each = (_memory(shop.stack.pid("live")) - before) / pages
    late = watching.results()
    shop.drain()
    p = quantiles(late, n=100)
    return {
        "pages": pages,
        "pushes": len(late),
        "p50_ms": round(p[49], 1),
        "p99_ms": round(p[98], 1),
        "max_ms": round(max(late), 1),
        "kib": round(each / 1024),
    }


class _Watching:
    """All the pages, in a thread's own event loop."""

    def __init__(self, orders: list[dict[str, Any]]) -> None:
        self._orders = orders
        self._loop = asyncio.new_event_loop()
        self._thread = ThreadPoolExecutor(1)
        self._late: list[float] = []

    def open(self) -> None:
        """Connect all of them and read from now on: an unread message would seem late."""
        self._thread.submit(self._loop.run_until_complete, self._connect()).result(300)
        self._read = self._thread.submit(self._loop.run_until_complete, self._watch())

    def results(self) -> list[float]:
        """The delay of each push in milliseconds, once every order has ended."""
        self._read.result(1200)
        self._thread.shutdown()
        self._loop.close()
        return self._late

    async def _connect(self) -> None:
        self._open = []
        for start in range(0, len(self._orders), 50):
            some = self._orders[start : start + 50]
            self._open += await asyncio.gather(
                *(
                    websockets.connect(
                        # Earlier events are not replayed; only what comes is measured.
                        f"{order['links']['websocket']}&after_seq=1",
                        ping_interval=None,
                        compression=None,
                        max_queue=4,
                    )
                    for order in some
                )
            )

    async def _watch(self) -> None:
        await asyncio.gather(*map(self._follow, self._open))

    async def _follow(self, page: Any) -> None:
        async for message in page:
            now = time.time()
            event = json.loads(message)
            at = datetime.fromisoformat(event["updated_at"]).timestamp()
            self._late.append((now - at) * 1000)
            if event["status"] in ENDINGS:
                break
        await page.close()


def _memory(pid: int) -> int:
    """Bytes of memory that a process and its children use (PSS)."""
    family = [psutil.Process(pid), *psutil.Process(pid).children(recursive=True)]
    return sum(_pss(process.pid) for process in family)


def _pss(pid: int) -> int:
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1]) * 1024
    return 0
