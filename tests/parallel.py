"""Which test process runs what, when pytest runs in several (`pytest -n 2`, pytest-xdist).

Each process has a home of its own (tests/settings.py): PostgreSQL, Redis, databases. Tests that
share something expensive stay together, as one group on one process: those of a file, since module
fixtures belong to a file, those of a folder with fixtures of its own, and all that use the running
shop (tests/groups.py).

The first process takes the groups that start whole shops, which mostly wait; the others take those
that compute in one process. So two cores are busy all the time, and two shops seldom run at once.
A process that has no group of its own kind left takes one of the other kind.
"""

from xdist.scheduler import LoadScopeScheduling
from xdist.workermanage import WorkerController

from tests.groups import group_of, starts_a_shop


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
