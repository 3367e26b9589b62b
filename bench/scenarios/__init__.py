"""The scenarios, each a function of the Bench that answers with its Findings; in their order."""

from collections.abc import Callable, Mapping

from bench.bench import Bench
from bench.findings import Findings
from bench.scenarios.accept import accept
from bench.scenarios.browse import browse
from bench.scenarios.finish import finish
from bench.scenarios.growth import catalogue, growth
from bench.scenarios.live import live
from bench.scenarios.queue import queue
from bench.scenarios.raw import raw
from bench.scenarios.starve import starve
from bench.scenarios.textbook import strategies, textbook

SCENARIOS: Mapping[str, Callable[[Bench], Findings]] = {
    "raw": raw,
    "accept": accept,
    "finish": finish,
    "queue": queue,
    "starve": starve,
    "textbook": textbook,
    "strategies": strategies,
    "browse": browse,
    "live": live,
    "growth": growth,
    "catalogue": catalogue,
}
