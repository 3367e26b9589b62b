"""`make faults`: break the shop in every known way while it sells, and report the outcome."""

import argparse
import json
import os
import random
import signal
import sys
import time
from pathlib import Path

from tools import embedded

HOME = embedded.PROJECT / ".storefront-faults"
REPORT = embedded.PROJECT / "faults" / "report"


def arguments(words: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tools.faults", description=__doc__)
    parser.add_argument("--seed", type=int, help="the same shoppers and combinations again")
    parser.add_argument(
        "--minutes", type=float, default=15.0, help="combinations are tried for as long (15)"
    )
    parser.add_argument(
        "--only", metavar="NAME,…", default="", help="these faults and no others; a+b: at once"
    )
    parser.add_argument("--report", type=Path, default=REPORT, help="folder for the report")
    parser.add_argument("--home", type=Path, default=HOME, help="home of the shop that is broken")
    parser.add_argument("--rate", type=float, default=16.0, help="purchases begun a second (16)")
    parser.add_argument("--list", action="store_true", help="the faults, and nothing else")
    return parser.parse_args(words)


def main(words: list[str]) -> int:
    """Exit code 0 when every fault came out as expected, 1 when one did not, 2 for bad words."""
    wanted = arguments(words)
    from tools.faults.environment import enter_shop

    began = time.monotonic()
    ports = enter_shop(wanted.home.resolve())
    import django

    django.setup()
    from tools.faults.matrix import BY_NAME, FAULTS
    from tools.faults.record import record
    from tools.faults.report import render
    from tools.faults.runner import Run
    from tools.faults.shop import Shop

    if wanted.list:
        for fault in FAULTS:
            say(f"{fault.name:26} {fault.action}")
        return 0
    groups = [name.split("+") for name in wanted.only.split(",") if name]
    if unknown := {name for group in groups for name in group} - set(BY_NAME):
        say(f"no such fault: {', '.join(sorted(unknown))} (python -m tools.faults --list)")
        return 2
    faults = [tuple(BY_NAME[name] for name in group) for group in groups]
    faults = faults or [(fault,) for fault in FAULTS]
    seed = random.SystemRandom().randrange(1_000_000) if wanted.seed is None else wanted.seed
    say(f"seed {seed}: {len(faults)} faults" + ("" if groups else ", then combinations"))
    wanted.report.mkdir(parents=True, exist_ok=True)
    signal.signal(
        signal.SIGTERM, signal.default_int_handler
    )  # SIGINT and SIGTERM both leave through `with`
    with Shop(home=wanted.home.resolve(), ports=ports, seed=seed, say=say) as shop:
        run = Run(shop, seed=seed, folder=wanted.report, say=say)
        run.shoppers.settings.rate = wanted.rate
        run(faults, until=began + wanted.minutes * 60, combined=not groups)
        found = record(run)
    (wanted.report / "report.json").write_text(json.dumps(found, indent=1, default=str))
    (wanted.report / "index.html").write_text(render(found))
    say(f"{found['verdict']}: {json.dumps(found['totals'])}")
    for text in found["closing"]:
        say(f"  at the end: {text}")
    say(f"report: {wanted.report / 'index.html'}")
    return 0 if found["verdict"] == "green" else 1


def say(text: str) -> None:
    print(text, flush=True)


if __name__ == "__main__":
    os.chdir(embedded.PROJECT)
    sys.exit(main(sys.argv[1:]))
