"""Which test process runs what, when pytest runs in several (`pytest -n 2`, pytest-xdist).

Each process has a home of its own (tests/settings.py): PostgreSQL, Redis, databases. Tests that
share something expensive stay together, as one group on one process: those of a file, since module
fixtures belong to a file, those of a folder with fixtures of its own, and all that use the running
shop (tests/groups.py).

The first process takes the groups that start whole shops, which mostly wait; the others take those
that compute in one process. So two cores are busy all the time, and two shops seldom run at once.
A process that has no group of its own kind left takes one of the other kind.

The running shop ends with its group. Nobody uses it after that, and its processes, which look for
work every few seconds, would take processor time from the tests until the end of the run.
"""

import pytest
from xdist.scheduler import LoadScopeScheduling
from xdist.workermanage import WorkerController

from tests.groups import SHARED_SHOP, group_of, starts_a_shop


class ByWhatIsShared(LoadScopeScheduling):
    """Hands out whole groups; see the module's text for which, and to whom."""

    def _split_scope(self, nodeid: str) -> str:
        return group_of(nodeid.partition("::")[0])

    def _assign_work_unit(self, node: WorkerController) -> None:
        shops = [group for group in self.workqueue if starts_a_shop(group)]
        others = [group for group in self.workqueue if not starts_a_shop(group)]
        if node is self.nodes[0]:
            chosen = [*shops, *others][0]
        else:
            chosen = [*others, *reversed(shops)][0]
        self.workqueue.move_to_end(chosen, last=False)
        super()._assign_work_unit(node)


def leaves_shared_shop(item: pytest.Item, following: pytest.Item | None) -> bool:
    """Whether `item` is the last test of this process that uses the running shop.

    Known only where whole groups are handed out: one process that runs all tests by itself comes
    back to the shop later.
    """
    if not hasattr(item.config, "workerinput"):
        return False
    return _uses_shared_shop(item) and not (following and _uses_shared_shop(following))


def _uses_shared_shop(item: pytest.Item) -> bool:
    return group_of(item.nodeid.partition("::")[0]) == SHARED_SHOP
