"""A shop in which an order of each kind ended or waits, for audits that break it on purpose."""

from __future__ import annotations

import pytest

from tests.factories import PromoFactory
from tests.orders.purchases import Shop

LONG_AGO = "now() - interval '1 day'"


@pytest.fixture
def sold(shop: Shop, declines_are_final: None) -> Shop:
    """A shop with one order confirmed by promo, one waiting for 3-D Secure, one cancelled."""
    shop.place(promo=PromoFactory(code="TEN", total_limit=5, customer_limit=5))
    shop.place(card="pm_card_threeDSecure2Required", email="bob@example.com")
    shop.place(card="pm_card_visa_chargeDeclined", email="carol@example.com")
    shop.run()
    assert shop.violations() == {}
    return shop


CONFIRMED = "(SELECT id FROM orders_order WHERE status = 'CONFIRMED')"
WAITING = "(SELECT id FROM orders_order WHERE status = 'REQUIRES_ACTION')"
CANCELLED = "(SELECT id FROM orders_order WHERE status = 'CANCELLED')"
