"""Adds stock and promo uses during a run, so that orders can always be accepted."""

import threading

from django.db import DatabaseError, connection
from django.db.models import F

from apps.inventory import stock
from apps.promos.models import Promo
from tools.faults.goods import COLD, HOT, PROMO, SCARCE


class Supplier:
    """A thread that refills what is nearly sold out, once every few seconds."""

    def __init__(self) -> None:
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._supply, name="supplier", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._ending.set()

    def _supply(self) -> None:
        wanted = {HOT: 400, SCARCE: 3} | dict.fromkeys(COLD, 200)
        while not self._ending.wait(1.0):
            try:
                for sku, available in stock.availability(wanted).items():
                    if available < wanted[sku] / 2 + 1:
                        stock.receive(
                            sku=sku, quantity=wanted[sku], reason="faults", actor="faults"
                        )
                promo = Promo.objects.filter(code=PROMO, used__gte=F("total_limit"))
                if self._ending.wait(2.0):
                    break
                promo.update(total_limit=F("total_limit") + 15)
            except DatabaseError:
                connection.close()  # PostgreSQL is being broken at the moment
        connection.close()
