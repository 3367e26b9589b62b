"""How many failures in a row end a run of the reconciler."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from apps.payments.gateway import GatewayRefused, GatewayTransient
from apps.payments.models import Reconciliation

logger = logging.getLogger(__name__)

FAILURES_MAX = 5  # in a row; more, and the gateway is not reachable


class FailureLimit:
    """One payment that cannot be inspected does not stop the others; an outage ends the run.

    What was left out is in the run's `error`, and is inspected by the next run.
    """

    def __init__(self, row: Reconciliation) -> None:
        self._row = row
        self._failed = 0

    @contextmanager
    def inspecting(self, name: str) -> Iterator[None]:
        try:
            yield
        except (GatewayTransient, GatewayRefused) as error:
            self._failed += 1
            if self._failed >= FAILURES_MAX:
                raise
            logger.warning("%s could not be inspected: %s", name, error)
            self._row.error = f"{name}: {type(error).__name__}: {error}"[:255]
        else:
            self._failed = 0
