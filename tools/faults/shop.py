"""The shop that is broken: its real processes, and the controls that break each part of it.

    with Shop(home=…, ports=…, seed=7) as shop:
        shop.proxy.set("postgres", frozen=True)     the connections to its dependencies
        shop.stack.kill("worker")                   its own processes
        shop.gateway.apply(rule("timeout_after"))   the gateway
        shop.redis.freeze(); shop.postgres.kill()   the servers themselves
        shop.points.arm("saga.…")                   crashes at named points

Its PostgreSQL and Redis are its own, under `home`, and every run begins with an empty database. The
runner reads that database directly, past the proxy and past every fault, with the shop's own code:
it is a Django process with the same settings.
"""

import contextlib
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, Self

from tools import embedded
from tools.faults.controls.crash_points import CrashPoints
from tools.faults.controls.gateway import GatewayControls
from tools.faults.controls.postgres import PostgresControls
from tools.faults.controls.processes import children
from tools.faults.controls.redis import RedisControls
from tools.faults.environment import DATABASE, HOLD_CAP_SECONDS, HOLD_SECONDS
from tools.faults.goods import add_goods
from tools.faults.proxy import Proxy
from tools.stack import Ports, Stack
from tools.stack.commands import celery
from tools.stack.home_lock import running_pid
from tools.stack.process_table import programs

REDIS_VARIABLES = {
    "REDIS_URL": embedded.REDIS,
    "CARTS_REDIS_URL": embedded.REDIS_CARTS,
    "CACHE_REDIS_URL": embedded.REDIS_CACHE,
    "RATE_LIMITS_REDIS_URL": embedded.REDIS_LIMITS,
}


class Shop:
    """One running shop with its own servers, and the controls that break it."""

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
        self.points = CrashPoints(home / "failpoints")
        self.redis = RedisControls(home)
        self._say = say
        self._seed = seed
        self._short_holds = False
        self._held = contextlib.ExitStack()

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
        self._remove_earlier_run()
        self._held.enter_context(embedded.serving(self.home, say=self._say))
        self._make_database()
        run = embedded.socket_folder(self.home)
        self.proxy = self._held.enter_context(
            Proxy(
                seed=self._seed,
                postgres=run / embedded.POSTGRES_SOCKET,
                **{name: run / f"{name}.sock" for name in embedded.REDIS_NAMES},
                gateway=self.ports.sandbox,
            )
        )
        self.postgres = PostgresControls(self.home, self.proxy)
        self.points.folder.mkdir(exist_ok=True)
        # The faults freeze and kill processes and servers for a time of their own choosing.
        self.stack = Stack(
            home=self.home, ports=self.ports, env=self._through_the_proxy(), watch=None
        )
        self.gateway = GatewayControls(self.stack.sandbox_url, seed=self._seed)
        self._add_second_beat()
        self._held.callback(self._thaw_all)
        self._say("starting the shop")
        self._held.enter_context(self.stack)
        add_goods(self.home / "goods.csv", self._import_catalog)

    def _remove_earlier_run(self) -> None:
        if holder := running_pid(self.home):
            raise RuntimeError(f"another run goes on in {self.home} (pid {holder})")
        embedded.stop(self.home, say=self._say)  # of a run that was killed
        for leftover in ("failpoints", "mail", *embedded.REDIS_NAMES):
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
            **{
                variable: f"redis://127.0.0.1:{self.proxy.port(name)}"
                for variable, name in REDIS_VARIABLES.items()
            },
            "STRIPE_API_HOST": f"http://127.0.0.1:{self.proxy.port('gateway')}",
            "FAILPOINTS": str(self.points.folder),
        }

    def _add_second_beat(self) -> None:
        table = programs(ports=self.ports, home=self.home, sandbox=True)
        beat = next(program for program in table if program.name == "beat")
        schedule = ("--schedule", str(self.home / "celerybeat-schedule-2"))
        self.stack.add(replace(beat, name="beat-2", argv=celery("beat", *schedule)))

    def _import_catalog(self, file: Path) -> None:
        done = self.stack.manage("import_catalog", str(file))
        if done.returncode != 0:
            raise RuntimeError(f"the goods cannot be imported: {done.stdout}{done.stderr}")

    def _thaw_all(self) -> None:
        """A frozen process cannot be asked to stop."""
        with contextlib.suppress(Exception):
            self.points.thaw()
            self.redis.thaw()

    # --- Reading --------------------------------------------------------------------------------

    def ask(self, query: str, *values: Any) -> list[tuple[Any, ...]]:
        """Rows, straight from PostgreSQL."""
        return self.postgres.ask(query, *values)

    def number(self, query: str, *values: Any) -> int:
        return int(self.ask(query, *values)[0][0])

    # --- Processes and servers ------------------------------------------------------------------

    def kill_child(self, name: str) -> None:
        """SIGKILL for the oldest child of process `name`."""
        os.kill(children(self.stack.pid(name))[-1], signal.SIGKILL)

    def use_holds(self, *, short: bool) -> None:
        """Restart web and worker with short holds, or with the usual ones."""
        if short == self._short_holds:
            return
        self._short_holds = short
        self._say(f"restarting web and worker with {'short' if short else 'usual'} holds")
        seconds = (str(HOLD_SECONDS), str(HOLD_CAP_SECONDS)) if short else (None, None)
        for name in ("web", "worker"):
            self.restart_with(name, HOLD_SECONDS=seconds[0], HOLD_CAP_SECONDS=seconds[1])
        self.stack.wait_ready()

    def restart_with(self, name: str, **environment: str | None) -> None:
        """Restart process `name` with changed variables; None takes a variable away."""
        self.stack.change_environment(name, **environment)
        self.stack.restart(name)

    def start_servers(self) -> None:
        """Start PostgreSQL and Redis where they do not run."""
        with embedded.serving(self.home, say=self._say):
            pass  # they stay up: this process serves the home already
