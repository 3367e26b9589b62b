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
from tools.bench.scenarios.peers import peers
from tools.bench.scenarios.phone_calls import calls
from tools.bench.scenarios.purchase_by_page import purchase_by_page
from tools.bench.scenarios.purchase_by_phone import purchase
from tools.bench.scenarios.queue import queue
from tools.bench.scenarios.raw import raw
from tools.bench.scenarios.starve import starve
from tools.bench.scenarios.textbook import strategies, textbook

SCENARIOS: Mapping[str, Callable[[Bench], Findings]] = {
    "raw": raw,
    "accept": accept,
    "calls": calls,
    "purchase": purchase,
    "finish": finish,
    "queue": queue,
    "starve": starve,
    "textbook": textbook,
    "strategies": strategies,
    "browse": browse,
    "crowds": crowds,
    "purchase_by_page": purchase_by_page,
    "peers": peers,
    "live": live,
    "growth": growth,
    "catalog": catalog,
}
# Not without being asked for: the peer's packages are fetched first.
BY_ITSELF = [name for name in SCENARIOS if name != "peers"]
