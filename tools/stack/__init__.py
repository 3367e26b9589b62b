"""The whole shop as processes of one machine: prepared, kept running, stopped in order.

    python -m tools.stack            what `make run` does
    python -m tools.stack stop       what `make stop` does

and for tests and fault runs:

    with Stack(home=tmp_path) as stack:   # free ports, own PostgreSQL and Redis
        httpx.get(stack.url)
        stack.kill("worker")              # SIGKILL of all its processes; it is started again

    process_table.py, program.py, commands.py     the table of processes
    supervisor.py                                 Stack: starts and stops them all
    supervised_process.py                         keeps one of them running
    watchdog.py, probes.py, liveness.py           whether they answer, and for how long they may not
    services.py                                   the same for PostgreSQL and Redis
    readiness.py                                  whether the shop is ready
    output.py, terminal.py                        what they print
    leftovers.py, home_lock.py, ports.py          what an earlier or another stack may hold
    bootstrap.py, database.py                     tables and demo catalog
    isolation.py                                  a shop of its own for the fault runner and bench
"""

from tools.stack.errors import StackError
from tools.stack.ports import Ports
from tools.stack.supervisor import Stack

__all__ = ["Ports", "Stack", "StackError"]
