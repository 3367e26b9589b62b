"""The scenarios, in their order: each a function of the Bench that returns Findings."""

from collections.abc import Callable, Mapping

from tools.bench.bench import Bench
from tools.bench.findings import Findings
from tools.bench.scenarios.accept import accept
from tools.bench.scenarios.browse import browse
from tools.bench.scenarios.crowds import crowds
from tools.bench.scenarios.finish import finish
from tools.bench.scenarios.growth import catalog, growth
from tools.bench.scenarios.live import live
from tools.bench.scenarios.purchase_by_page import purchase_by_page
from tools.bench.scenarios.queue import queue
from tools.bench.scenarios.raw import raw
from tools.bench.scenarios.starve import starve
from tools.bench.scenarios.textbook import strategies, textbook

SCENARIOS: Mapping[str, Callable[[Bench], Findings]] = {
    "raw": raw,
    "accept": accept,
    "finish": finish,
    "queue": queue,
    "starve": starve,
    "textbook": textbook,
    "strategies": strategies,
    "browse": browse,
    "crowds": crowds,
    "purchase_by_page": purchase_by_page,
    "live": live,
    "growth": growth,
    "catalog": catalog,
}
