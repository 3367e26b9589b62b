"""The shop that is broken: its real processes, and a lever for each thing that can go wrong.

    with Shop(home=…, seed=7) as shop:
        shop.proxy.set("postgres", frozen=True)     what lies between it and its dependencies
        shop.stack.kill("worker")                   its own processes
        shop.gateway(rule("timeout_after"))         the gateway
        shop.freeze_redis(); shop.kill_postgres()   the servers themselves

Its PostgreSQL and Redis are its own, under `home`, and every run begins with an empty database. We
look into it past the proxy and past every fault, with the shop's own code: `python -m faults` is a
Django process of the same settings, connected directly.
"""

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any, Self

import psycopg
import redis
import requests
from django.utils import timezone

from apps.catalog.models import Variant
from apps.promos.models import Promo
from apps.sales.models import FlashSale
from faults.place import DATABASE, HOLD_CAP_SECONDS, HOLD_SECONDS
from faults.proxy import Proxy
from storefront import embedded, failpoints
from storefront.embedded.postgres import postmaster_pid
from storefront.embedded.processes import runs
from storefront.embedded.redis_server import redis_pid
from storefront.stack import Ports, Stack
from storefront.stack.programs import celery, programs
from storefront.stack.running import running_pid

HOT, SCARCE = "FAULTS-HOT", "FAULTS-SCARCE"  # the scarce in a flash sale, behind the stock gate
COLD = tuple(f"FAULTS-COLD-{number}" for number in range(1, 9))
PROMO, PROMO_ONCE = "FAULTS10", "FAULTSONCE"  # a total limit; a limit per customer
Rule = dict[str, Any]


class Shop:
    """One running shop with its own servers, and the levers."""

    def __init__(
        self,
        *,
        home: Path,
        ports: Ports,
        seed: int = 0,
        say: Callable[[str], None] = lambda text: None,
    ) -> None:
        self.home = home
        self.ports = ports
        self.points = home / "failpoints"
        self._say = say
        self._seed = seed
        self._short_holds = False
        self._held = contextlib.ExitStack()
        self._connections: list[psycopg.Connection[tuple]] = []

    def __enter__(self) -> Self:
        try:
            self._open()
        except BaseException:
            self._held.close()
            raise
        return self

    def __exit__(self, *error: object) -> None:
        self._held.close()

    def _open(self) -> None:
        self._clear_away_the_last_run()
        self._held.enter_context(embedded.serving(self.home, say=self._say))
        self._make_database()
        run = embedded.socket_folder(self.home)
        self.proxy = self._held.enter_context(
            Proxy(
                seed=self._seed,
                postgres=run / embedded.POSTGRES_SOCKET,
                redis=run / embedded.REDIS_SOCKET,
                gateway=self.ports.sandbox,
            )
        )
        self.points.mkdir(exist_ok=True)
        self.stack = Stack(home=self.home, ports=self.ports, env=self._through_the_proxy())
        self._add_second_beat()
        self._held.callback(self._wake_everybody)
        self._say("starting the shop")
        self._held.enter_context(self.stack)
        self._fill_shelves()

    def _clear_away_the_last_run(self) -> None:
        if holder := running_pid(self.home):
            raise RuntimeError(f"another run goes on in {self.home} (pid {holder})")
        embedded.stop(self.home, say=self._say)  # of a run that was killed
        for leftover in ("failpoints", "mail", "redis"):
            shutil.rmtree(self.home / leftover, ignore_errors=True)
        for pattern in ("sandbox.sqlite3*", "celerybeat-schedule*", "logs/*"):
            for file in self.home.glob(pattern):
                file.unlink(missing_ok=True)

    def _make_database(self) -> None:
        """A copy of one with tables: dj-stripe's migrations take half a minute, once per home."""
        self._say("bringing the tables up to date")
        subprocess.run(
            (sys.executable, "manage.py", "migrate", "--skip-checks", "-v", "0"),
            cwd=embedded.PROJECT,
            env=os.environ | {"DATABASE_URL": embedded.database_url(self.home)},
            check=True,
            timeout=300,
        )
        embedded.drop_database(self.home, DATABASE)
        embedded.ensure_database(self.home, DATABASE, template=embedded.DATABASE)

    def _through_the_proxy(self) -> dict[str, str]:
        database = f"storefront@127.0.0.1:{self.proxy.port('postgres')}/{DATABASE}"
        return {
            "DATABASE_URL": f"postgresql://{database}?sslmode=disable&gssencmode=disable",
            "REDIS_URL": f"redis://127.0.0.1:{self.proxy.port('redis')}",
            "STRIPE_API_HOST": f"http://127.0.0.1:{self.proxy.port('gateway')}",
            "FAILPOINTS": str(self.points),
        }

    def _add_second_beat(self) -> None:
        table = programs(ports=self.ports, home=self.home, sandbox=True)
        beat = next(program for program in table if program.name == "beat")
        schedule = ("--schedule", str(self.home / "celerybeat-schedule-2"))
        self.stack.add(replace(beat, name="beat-2", argv=celery("beat", *schedule)))

    def _fill_shelves(self) -> None:
        header = "Handle,Title,Type,Published,Variant SKU,Variant Grams,Variant Inventory Qty,"
        header += "Variant Price,Variant Requires Shipping,Variant Taxable"
        rows = [
            f"{sku.lower()},{sku.title()},Faults,true,{sku},300,{stock},{price},true,true"
            for sku, stock, price in (
                (HOT, 400, "25.00"),
                (SCARCE, 3, "60.00"),
                *((sku, 300, f"{8 + number}.50") for number, sku in enumerate(COLD)),
            )
        ]
        file = self.home / "goods.csv"
        file.write_text("\n".join([header, *rows]))
        done = self.stack.manage("import_catalog", str(file))
        if done.returncode != 0:
            raise RuntimeError(f"the shelves stay empty: {done.stdout}{done.stderr}")
        kinds = Promo.Kind
        Promo.objects.create(code=PROMO, kind=kinds.PERCENTAGE, percent_bp=1000, total_limit=40)
        Promo.objects.create(code=PROMO_ONCE, kind=kinds.FIXED, amount=200, customer_limit=1)
        now = timezone.now()
        sale = FlashSale.objects.create(
            name="The last three",
            slug="the-last-three",
            doors_at=now,
            starts_at=now,
            ends_at=now + timedelta(days=1),
        )
        sale.variants.set(Variant.objects.filter(sku=SCARCE))

    def _wake_everybody(self) -> None:
        """Who is frozen cannot be asked to stop."""
        with contextlib.suppress(Exception):
            self.thaw()
            self.thaw_redis()

    # --- Looking in ------------------------------------------------------------------------------

    def ask(self, query: str, *values: Any) -> list[tuple[Any, ...]]:
        """Rows, straight from PostgreSQL."""
        with embedded.connect(self.home, DATABASE) as connection:
            cursor = connection.execute(query, values)
            return cursor.fetchall() if cursor.description else []

    def number(self, query: str, *values: Any) -> int:
        return int(self.ask(query, *values)[0][0])

    # --- Its processes ---------------------------------------------------------------------------

    def children(self, name: str) -> list[int]:
        """The processes that the main process of `name` has made, the youngest first."""
        main = self.stack.pid(name)
        found = []
        for entry in Path("/proc").iterdir():
            if entry.name.isdigit():
                with contextlib.suppress(OSError):
                    stat = (entry / "stat").read_text()
                    if int(stat.rpartition(")")[2].split()[1]) == main:
                        found.append(int(entry.name))
        return sorted(found, reverse=True)

    def kill_child(self, name: str) -> int:
        """SIGKILL for one child of `name`; its id."""
        pid = self.children(name)[-1]
        os.kill(pid, signal.SIGKILL)
        return pid

    def use_holds(self, *, short: bool) -> None:
        """The shop's own holds, or short ones: for web and worker from a new start on."""
        if short == self._short_holds:
            return
        self._short_holds = short
        self._say(f"restarting web and worker with {'short' if short else 'usual'} holds")
        seconds = (str(HOLD_SECONDS), str(HOLD_CAP_SECONDS)) if short else (None, None)
        for name in ("web", "worker"):
            self.restart_with(name, HOLD_SECONDS=seconds[0], HOLD_CAP_SECONDS=seconds[1])
        self.stack.wait_ready()

    def restart_with(self, name: str, **environment: str | None) -> None:
        self.stack.change_environment(name, **environment)
        self.stack.restart(name)

    # --- Points at which processes die -----------------------------------------------------------

    def arm(self, point: str, times: int = 1, *, deed: str = failpoints.KILL) -> None:
        failpoints.arm(self.points, point, times, deed=deed)

    def disarm(self) -> None:
        """Take back what nobody has reached; what was struck stays as evidence."""
        for token in [*self.points.glob("*.armed-*"), *self.points.glob("*.draft-*")]:
            token.unlink(missing_ok=True)

    def armed(self) -> list[str]:
        return sorted({file.name.rpartition(".")[0] for file in self.points.glob("*.armed-*")})

    def struck(self) -> dict[str, list[int]]:
        """Who died (or froze) where, since the run began."""
        names = {file.name.rpartition(".")[0] for file in self.points.glob("*.struck-*")}
        return {name: failpoints.struck(self.points, name) for name in sorted(names)}

    def thaw(self) -> None:
        """SIGCONT for whoever froze at a point."""
        for pids in self.struck().values():
            for pid in pids:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGCONT)

    # --- Redis -----------------------------------------------------------------------------------

    def redis(self) -> "redis.Redis":
        """A client of Redis itself."""
        return redis.Redis.from_url(embedded.redis_url(self.home), socket_timeout=5)

    def freeze_redis(self) -> None:
        os.kill(self._redis_pid(), signal.SIGSTOP)

    def thaw_redis(self) -> None:
        os.kill(self._redis_pid(), signal.SIGCONT)

    def kill_redis(self) -> None:
        """Gone, and its snapshot with it."""
        pid = self._redis_pid()
        os.kill(pid, signal.SIGKILL)
        _until_gone(pid)
        (self.home / "redis" / "dump.rdb").unlink(missing_ok=True)

    def _redis_pid(self) -> int:
        pid = redis_pid(self.home)
        if pid is None:
            raise RuntimeError("Redis does not run")
        return pid

    # --- PostgreSQL ------------------------------------------------------------------------------

    def kill_postgres(self) -> None:
        """Immediate stop: nothing is written any more, the next start recovers from the log."""
        pid = postmaster_pid(self.home)
        if pid is None:
            raise RuntimeError("PostgreSQL does not run")
        os.kill(pid, signal.SIGQUIT)
        _until_gone(pid)

    def use_up_connections(self) -> int:
        """Take every connection that PostgreSQL gives; how many that were."""
        self.proxy.set("postgres", refusing=True)  # or the shop would be quicker
        with contextlib.suppress(psycopg.OperationalError):
            while len(self._connections) < 500:
                self._connections.append(embedded.connect(self.home, DATABASE))
        self.proxy.heal("postgres")
        return len(self._connections)

    @contextlib.contextmanager
    def locked(self, statement: str) -> Iterator[None]:
        """Hold the locks that `statement` takes."""
        with (
            embedded.connect(self.home, DATABASE) as connection,
            connection.transaction(force_rollback=True),
        ):
            connection.execute(statement)
            yield

    def hang_up(self) -> None:
        """Give the connections back."""
        while self._connections:
            self._connections.pop().close()

    def revive(self) -> None:
        """Start PostgreSQL and Redis where they do not run."""
        with embedded.serving(self.home, say=self._say):
            pass  # they stay up: this process holds the home already

    # --- The gateway -----------------------------------------------------------------------------

    def gateway(self, *rules: Rule) -> None:
        """What goes wrong at the gateway from now on; nothing named heals all."""
        self._control("faults", {"rules": list(rules), "seed": self._seed})

    def gateway_clock(self, ahead: timedelta) -> None:
        """Age the gateway's idempotency keys."""
        self._control("clock", {"advance_s": ahead.total_seconds()})

    def struck_at_gateway(self) -> int:
        answer = requests.get(f"{self.stack.sandbox_url}/_sandbox/faults", timeout=10)
        return sum(rule["struck"] for rule in answer.json()["rules"])

    def intents(self) -> Iterator[dict[str, Any]]:
        """Everything the gateway knows, oldest first."""
        after: int | None = 0
        while after is not None:
            page = requests.get(
                f"{self.stack.sandbox_url}/_sandbox/state", params={"after": after}, timeout=30
            ).json()
            yield from page["intents"]
            after = page["next"]

    def _control(self, what: str, body: dict[str, Any]) -> None:
        answer = requests.post(f"{self.stack.sandbox_url}/_sandbox/{what}", json=body, timeout=10)
        if answer.status_code != 200:
            raise RuntimeError(f"the sandbox refuses: {answer.text}")


def rule(fault: str, *operations: str, **more: Any) -> Rule:
    """One of docs/sandbox.md's: `rule("timeout_after", "refunds.create", probability=0.5)`."""
    return {"fault": fault, "operations": list(operations or ("*",)), **more}


def _until_gone(pid: int) -> None:
    deadline = time.monotonic() + 30
    while runs(pid):
        if time.monotonic() > deadline:
            raise RuntimeError(f"process {pid} does not go")
        time.sleep(0.02)
