"""Test data: alice, bob, a mug, a kettle, a promo code for ten per cent off.

One factory for each model, and readable helpers for what most tests need; a module for each app.
Everything made here is consistent: stock comes with its INITIAL movement, `reserved` with an active
hold, an order's total with its parts, a redemption with its promo's counter. A test that needs
inconsistent data makes it so itself.

    mug = a_mug(stock=3)                  # a Variant, published, $18.00, three units on hand
    gone = sold_out_mug()
    alice = make_alice()                  # password: PASSWORD
    ship_everywhere(price=599)            # method "standard" to any country
"""

from tests.factories.cart import CartFactory, CartLineFactory
from tests.factories.catalog import (
    CategoryFactory,
    ProductFactory,
    ProductImageFactory,
    ProductOptionFactory,
    VariantFactory,
    a_kettle,
    a_mug,
    a_product,
    held_mug,
    sold_out_mug,
)
from tests.factories.customers import (
    ADDRESS,
    PASSWORD,
    AddressFactory,
    StaffFactory,
    UserFactory,
    make_alice,
    make_bob,
    make_clerk,
)
from tests.factories.flash_sales import a_flash_sale
from tests.factories.inventory import (
    HoldFactory,
    StockItemFactory,
    StockMovementFactory,
    WarehouseFactory,
)
from tests.factories.notifications import NotificationFactory
from tests.factories.orders import (
    IdempotencyKeyFactory,
    OrderEventFactory,
    OrderFactory,
    OrderLineFactory,
    ReturnFactory,
    ReturnLineFactory,
    SagaFactory,
    SagaStepFactory,
    a_fingerprint,
)
from tests.factories.payments import (
    GatewayCallFactory,
    PaymentFactory,
    RefundFactory,
    WebhookInboxFactory,
)
from tests.factories.promos import PromoFactory, RedemptionFactory
from tests.factories.shipping import (
    MethodFactory,
    RateFactory,
    ShipmentFactory,
    ZoneFactory,
    ship_everywhere,
)
from tests.factories.taxes import TaxRateFactory, a_sales_tax

__all__ = [
    "ADDRESS",
    "PASSWORD",
    "AddressFactory",
    "CartFactory",
    "CartLineFactory",
    "CategoryFactory",
    "GatewayCallFactory",
    "HoldFactory",
    "IdempotencyKeyFactory",
    "MethodFactory",
    "NotificationFactory",
    "OrderEventFactory",
    "OrderFactory",
    "OrderLineFactory",
    "PaymentFactory",
    "ProductFactory",
    "ProductImageFactory",
    "ProductOptionFactory",
    "PromoFactory",
    "RateFactory",
    "RedemptionFactory",
    "RefundFactory",
    "ReturnFactory",
    "ReturnLineFactory",
    "SagaFactory",
    "SagaStepFactory",
    "ShipmentFactory",
    "StaffFactory",
    "StockItemFactory",
    "StockMovementFactory",
    "TaxRateFactory",
    "UserFactory",
    "VariantFactory",
    "WarehouseFactory",
    "WebhookInboxFactory",
    "ZoneFactory",
    "a_fingerprint",
    "a_flash_sale",
    "a_kettle",
    "a_mug",
    "a_product",
    "a_sales_tax",
    "held_mug",
    "make_alice",
    "make_bob",
    "make_clerk",
    "ship_everywhere",
    "sold_out_mug",
]
