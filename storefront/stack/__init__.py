"""The whole shop as processes of one machine: prepared, kept alive, stopped in order.

    python -m storefront.stack            what `make run` does
    python -m storefront.stack stop       what `make stop` does

and for tests and fault runs:

    with Stack(home=tmp_path) as stack:   # free ports, own PostgreSQL and Redis
        httpx.get(stack.url)
        stack.kill("worker")              # SIGKILL of all its processes; it comes back by itself

`programs.py` is the table of processes, `keeper.py` keeps one of them alive, `preparation.py`
makes the database ready, `running.py` puts them together.
"""

from storefront.stack.programs import Ports
from storefront.stack.running import Stack, StackError

__all__ = ["Ports", "Stack", "StackError"]
