"""`make bench`, `python -m tools.bench`: start the shop, measure, write the report."""

import argparse
import json
import os
import signal
import sys
import time
import traceback
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path

from tools.bench.environment import enter_shop

PROJECT = Path(__file__).resolve().parents[2]


def main(arguments: Sequence[str] | None = None) -> int:
    asked = _arguments().parse_args(arguments)
    home = asked.home.resolve()
    ports = enter_shop(home)

    import django

    django.setup()

    # They need Django's settings, which need the environment above.
    from tools.bench import report, wrk
    from tools.bench.bench import Bench
    from tools.bench.budgets import budgets
    from tools.bench.machine import machine
    from tools.bench.scenarios import BY_ITSELF, SCENARIOS
    from tools.bench.shop import Shop

    wanted = [name for name in SCENARIOS if name in (asked.only or BY_ITSELF)]
    unknown = set(asked.only) - set(SCENARIOS)
    if unknown:
        print(f"no such scenario: {', '.join(sorted(unknown))}", file=sys.stderr)
        print(f"there are: {', '.join(SCENARIOS)}", file=sys.stderr)
        return 2
    try:
        wrk.version()
    except wrk.NoWrk as error:
        print(error, file=sys.stderr)
        return 2
    # Both leave through `with`, which stops the shop.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    began = time.monotonic()
    say = _reporter(began)
    found, failed, took = [], {}, {}
    with Shop(home, ports, say=say) as shop:
        about = machine()
        bench = Bench(
            shop=shop,
            say=say,
            runs=1 if asked.quick else asked.runs,
            seconds=2 if asked.quick else asked.seconds,
            warm_up=1 if asked.quick else 2,
            quick=asked.quick,
        )
        for name in wanted:
            say(f"— {name}")
            started = time.monotonic()
            try:
                found.append(SCENARIOS[name](bench))
            except Exception as error:
                traceback.print_exc()
                failed[name] = f"{type(error).__name__}: {error}"
                say(f"{name} failed: {error}")
            took[name] = round(time.monotonic() - started)
            say(f"{name} took {took[name]} s")
            # After each scenario: an error in the last one must not lose half an hour of results.
            result = report.result(
                machine=about,
                findings=found,
                failed=failed,
                budgets=budgets(found),
                made_at=datetime.now(UTC),
                minutes=(time.monotonic() - began) / 60,
                quick=asked.quick,
                runs=bench.runs,
                took=took,
            )
            asked.report.mkdir(parents=True, exist_ok=True)
            (asked.report / "results.json").write_text(json.dumps(result, indent=1))
            (asked.report / "index.html").write_text(report.page(result))
    print(report.in_words(result))
    print(f"\n{asked.report / 'index.html'}")
    return 1 if failed else 0


def _reporter(began: float) -> Callable[[str], None]:
    def say(text: str) -> None:
        print(f"{time.monotonic() - began:7.1f} s  {text}", flush=True)

    return say


def _arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tools.bench", description=__doc__)
    parser.add_argument("--only", type=lambda text: text.split(","), default=[])
    parser.add_argument("--runs", type=int, default=3, help="of each measurement (median)")
    parser.add_argument("--seconds", type=float, default=4, help="of each run")
    parser.add_argument("--quick", action="store_true", help="does it work, not how fast")
    parser.add_argument("--report", type=Path, default=PROJECT / "bench" / "report")
    parser.add_argument("--home", type=Path, default=PROJECT / ".storefront-bench")
    return parser


if __name__ == "__main__":
    os.chdir(PROJECT)
    sys.exit(main())
