"""What rules pick orders from."""

from __future__ import annotations

from tests.model.both import BothShops
from tests.model.paper_order import Sale
from tests.model.rules import pick


class Picking(BothShops):
    """The orders of a story, by how far they have come."""

    def under_way(self) -> list[Sale]:
        return [sale for sale in self.paper.sales if not sale.over]

    def unsettled(self) -> bool:
        """Whether money is on its way back."""
        return any(not r.settled for sale in self.paper.sales for r in sale.refunds.values())

    def prefer(self, some: list[Sale], which: int) -> Sale:
        """One of `some`, if there are any; now and then just any, to be refused."""
        sale: Sale = pick(some if some and which < 7 else self.paper.sales, which)
        return sale

    def by_status(self, *statuses: str) -> list[Sale]:
        return [sale for sale in self.paper.sales if sale.status in statuses]

    def challenged(self) -> list[Sale]:
        return [sale for sale in self.paper.sales if sale.challenge and sale.bank_page]

    def awaiting_cards(self) -> list[Sale]:
        return [sale for sale in self.paper.sales if sale.awaits_card and not sale.over]

    def cancelled_carts(self) -> list[Sale]:
        return [sale for sale in self.by_status("CANCELLED") if sale.wish.user_id]
