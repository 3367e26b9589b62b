"""The cast of the tests: alice, bob, a mug, the last two kettles, a code for ten per cent off.

One factory for each model, and below them readable helpers for what most tests need. Everything
made here keeps the books in order: stock comes with its INITIAL movement, `reserved` with an active
hold, an order's total with its parts, a redemption with its promo's counter. A test that wants
broken books breaks them itself.

    mug = a_mug(stock=3)                  # a Variant, published, $18.00, three on the shelf
    kettle = sold_out_kettle()
    alice = make_alice()                  # password: PASSWORD
    ship_everywhere(price=599)            # method "standard" to any country
"""

import hashlib
import uuid
from datetime import timedelta
from typing import Any

import factory
from django.db.models import F
from django.utils import timezone
from django.utils.text import slugify
from factory.django import DjangoModelFactory

from apps.cart.models import Cart, CartLine
from apps.catalog.models import Category, Product, ProductImage, ProductOption, Variant
from apps.customers.models import Address, User
from apps.inventory.models import Hold, StockItem, StockMovement, Warehouse
from apps.inventory.stock import default_warehouse
from apps.notifications.models import Notification
from apps.orders.models import (
    IdempotencyKey,
    Order,
    OrderEvent,
    OrderLine,
    Return,
    ReturnLine,
    Saga,
    SagaStep,
)
from apps.payments.models import GatewayCall, Payment, Refund, WebhookInbox
from apps.promos.models import Promo, Redemption
from apps.sales import on_sale
from apps.sales.models import FlashSale
from apps.shipping.models import Method, Rate, Shipment, Zone
from apps.taxes.models import TaxRate

PASSWORD = "a-slow-morning-7"
ADDRESS = {
    "name": "Alice Archer",
    "line1": "12 Pine Street",
    "line2": "",
    "city": "Portland",
    "region": "OR",
    "postal_code": "97201",
    "country": "US",
    "phone": "",
}


def a_fingerprint(text: str) -> bytes:
    return hashlib.sha256(text.encode()).digest()


# --- Catalogue ------------------------------------------------------------------------------------


class CategoryFactory(DjangoModelFactory):
    """A shelf; `parent=` puts it below another one. The same slug is the same shelf."""

    class Meta:
        model = Category

    name = factory.Sequence("Shelf {}".format)
    slug = factory.LazyAttribute(lambda made: slugify(made.name))

    @classmethod
    def _create(cls, model_class: type[Category], *args: Any, **fields: Any) -> Category:
        parent = fields.pop("parent", None)
        found = Category.objects.filter(slug=fields["slug"]).first()
        if found is not None:
            return found
        if parent is None:
            return Category.objects.add_root(fields)
        return Category.objects.add_child(Category.objects.get(pk=parent.pk), fields)


class ProductFactory(DjangoModelFactory):
    """A published product without variants; see VariantFactory and `a_product`."""

    class Meta:
        model = Product
        skip_postgeneration_save = True

    name = factory.Sequence("Slow Thing {}".format)
    slug = factory.LazyAttribute(lambda made: slugify(made.name))
    description = factory.LazyAttribute(lambda made: f"<p>{made.name}, for slow mornings.</p>")
    vendor = "Kettle & Pine"
    category = factory.SubFactory(CategoryFactory, name="Kitchen")


class VariantFactory(DjangoModelFactory):
    """One SKU of a product, without stock; `stock=5` puts five into the default warehouse."""

    class Meta:
        model = Variant
        skip_postgeneration_save = True

    product = factory.SubFactory(ProductFactory)
    sku = factory.Sequence("SKU-{:05d}".format)
    price_amount = 1800
    weight_grams = 350

    @factory.post_generation
    def stock(made: Variant, create: bool, on_hand: int | None, **_: Any) -> None:
        if create and on_hand is not None:
            StockItemFactory(variant=made, on_hand=on_hand)


class ProductOptionFactory(DjangoModelFactory):
    class Meta:
        model = ProductOption

    product = factory.SubFactory(ProductFactory)
    name = "Size"
    values = factory.LazyFunction(lambda: ["Small", "Large"])


class ProductImageFactory(DjangoModelFactory):
    class Meta:
        model = ProductImage

    product = factory.SubFactory(ProductFactory)
    path = factory.Sequence("/static/demo/picture-{}.svg".format)
    alt = factory.LazyAttribute(lambda made: made.product.name)
    position = factory.Sequence(int)


# --- Inventory ------------------------------------------------------------------------------------


class WarehouseFactory(DjangoModelFactory):
    """One more warehouse. The default one comes from `stock.default_warehouse()`."""

    class Meta:
        model = Warehouse

    code = factory.Sequence("warehouse-{}".format)
    name = factory.LazyAttribute(lambda made: made.code.title())
    priority = 10
    is_default = False


class StockItemFactory(DjangoModelFactory):
    """A shelf with its INITIAL movement, and with an active hold for what is `reserved`."""

    class Meta:
        model = StockItem
        skip_postgeneration_save = True

    warehouse = factory.LazyFunction(default_warehouse)
    variant = factory.SubFactory(VariantFactory)
    on_hand = 10

    @factory.post_generation
    def ledger(made: StockItem, create: bool, extracted: Any, **_: Any) -> None:
        if not create:
            return
        StockMovement.objects.create(
            stock_item=made,
            kind=StockMovement.Kind.INITIAL,
            quantity=made.on_hand,
            reason="opening stock",
            actor="tests",
        )
        if made.reserved:
            HoldFactory(stock_item=made, quantity=made.reserved, counted=True)


class HoldFactory(DjangoModelFactory):
    """Units kept for an order; raises `reserved` with it unless `counted=True` says it is done."""

    class Meta:
        model = Hold
        skip_postgeneration_save = True

    order_id = factory.LazyFunction(uuid.uuid4)
    stock_item = factory.SubFactory(StockItemFactory)
    quantity = 1
    expires_at = factory.LazyFunction(lambda: timezone.now() + timedelta(minutes=15))

    @classmethod
    def _create(cls, model_class: type[Hold], *args: Any, **fields: Any) -> Hold:
        counted = fields.pop("counted", False)
        made = super()._create(model_class, *args, **fields)
        if made.state == Hold.State.ACTIVE and not counted:
            StockItem.objects.filter(pk=made.stock_item_id).update(
                reserved=F("reserved") + made.quantity
            )
            made.stock_item.refresh_from_db()
        return made


class StockMovementFactory(DjangoModelFactory):
    """A line of the ledger alone: `on_hand` does not follow. For tests of the books themselves."""

    class Meta:
        model = StockMovement

    stock_item = factory.SubFactory(StockItemFactory)
    kind = StockMovement.Kind.RECEIVED
    quantity = 1
    actor = "tests"


# --- Customers and carts --------------------------------------------------------------------------


class UserFactory(DjangoModelFactory):
    """Somebody with an account; the password is PASSWORD."""

    class Meta:
        model = User

    email = factory.Sequence("shopper-{}@example.com".format)
    name = factory.Sequence("Shopper {}".format)

    @classmethod
    def _create(cls, model_class: type[User], *args: Any, **fields: Any) -> User:
        email, password = fields.pop("email"), fields.pop("password", PASSWORD)
        return User.objects.create_user(email, password, **fields)


class StaffFactory(UserFactory):
    email = factory.Sequence("clerk-{}@kettleandpine.example".format)
    name = "The clerk"
    is_staff = True
    is_superuser = True


class AddressFactory(DjangoModelFactory):
    class Meta:
        model = Address

    user = factory.SubFactory(UserFactory)
    name = ADDRESS["name"]
    line1 = ADDRESS["line1"]
    city = ADDRESS["city"]
    region = ADDRESS["region"]
    postal_code = ADDRESS["postal_code"]
    country = ADDRESS["country"]


class CartFactory(DjangoModelFactory):
    class Meta:
        model = Cart

    user = factory.SubFactory(UserFactory)


class CartLineFactory(DjangoModelFactory):
    class Meta:
        model = CartLine

    cart = factory.SubFactory(CartFactory)
    sku = factory.LazyFunction(lambda: a_mug().sku)
    quantity = 1


# --- Promos, taxes, shipping ----------------------------------------------------------------------


class PromoFactory(DjangoModelFactory):
    """Ten per cent off, without limits. Traits: fixed, free_shipping, buy_two_get_one, one_use."""

    class Meta:
        model = Promo

    class Params:
        fixed = factory.Trait(kind=Promo.Kind.FIXED, percent_bp=0, amount=500)
        free_shipping = factory.Trait(kind=Promo.Kind.FREE_SHIPPING, percent_bp=0)
        buy_two_get_one = factory.Trait(
            kind=Promo.Kind.BUY_X_GET_Y, percent_bp=0, buy_quantity=2, get_quantity=1
        )
        one_use = factory.Trait(total_limit=1)
        over = factory.Trait(
            ends_at=factory.LazyFunction(lambda: timezone.now() - timedelta(days=1))
        )

    code = factory.Sequence("MORNING{}".format)
    kind = Promo.Kind.PERCENTAGE
    percent_bp = 1000


class RedemptionFactory(DjangoModelFactory):
    """One use of a promo, counted in the promo while it is live."""

    class Meta:
        model = Redemption

    promo = factory.SubFactory(PromoFactory)
    order_id = factory.LazyFunction(uuid.uuid4)
    customer_key = "alice@example.com"

    @classmethod
    def _create(cls, model_class: type[Redemption], *args: Any, **fields: Any) -> Redemption:
        made = super()._create(model_class, *args, **fields)
        if made.live:
            Promo.objects.filter(pk=made.promo_id).update(used=F("used") + 1)
            made.promo.refresh_from_db()
        return made


class TaxRateFactory(DjangoModelFactory):
    class Meta:
        model = TaxRate
        django_get_or_create = ("country", "region")

    country = "US"
    region = ""
    name = "Sales tax"
    rate_bp = 825


class ZoneFactory(DjangoModelFactory):
    class Meta:
        model = Zone
        django_get_or_create = ("name",)

    name = "Everywhere"
    countries = factory.LazyFunction(lambda: ["*"])


class MethodFactory(DjangoModelFactory):
    class Meta:
        model = Method
        django_get_or_create = ("code",)

    code = "standard"
    name = "Standard"


class RateFactory(DjangoModelFactory):
    class Meta:
        model = Rate

    zone = factory.SubFactory(ZoneFactory)
    method = factory.SubFactory(MethodFactory)
    price_amount = 599


class ShipmentFactory(DjangoModelFactory):
    class Meta:
        model = Shipment

    order_id = factory.LazyFunction(uuid.uuid4)
    carrier = "local"
    service = "standard"
    tracking_number = factory.Sequence("KP{:010d}".format)
    estimated_from = factory.LazyFunction(lambda: timezone.now().date() + timedelta(days=2))
    estimated_to = factory.LazyFunction(lambda: timezone.now().date() + timedelta(days=5))


# --- Orders ---------------------------------------------------------------------------------------


class OrderFactory(DjangoModelFactory):
    """An order whose total adds up, without lines, saga, key, payment or hold."""

    class Meta:
        model = Order

    number = factory.Sequence("T{:07d}".format)
    email = "alice@example.com"
    currency = "USD"
    subtotal_amount = 1800
    discount_amount = 0
    shipping_amount = 599
    tax_amount = 0
    total_amount = factory.LazyAttribute(
        lambda made: (
            made.subtotal_amount - made.discount_amount + made.shipping_amount + made.tax_amount
        )
    )
    shipping_address = factory.LazyFunction(ADDRESS.copy)
    shipping_method = "standard"


class OrderLineFactory(DjangoModelFactory):
    class Meta:
        model = OrderLine

    order = factory.SubFactory(OrderFactory)
    sku = factory.Sequence("SKU-{:05d}".format)
    name = "Mug"
    quantity = 1
    unit_amount = 1800
    line_amount = factory.LazyAttribute(lambda made: made.quantity * made.unit_amount)


class OrderEventFactory(DjangoModelFactory):
    class Meta:
        model = OrderEvent

    order = factory.SubFactory(OrderFactory)
    seq = 1
    status = factory.SelfAttribute("order.status")
    message = "We have your order."


class IdempotencyKeyFactory(DjangoModelFactory):
    class Meta:
        model = IdempotencyKey

    order = factory.SubFactory(OrderFactory)
    scope = "guest"
    key = factory.LazyFunction(lambda: str(uuid.uuid4()))
    fingerprint = factory.LazyAttribute(lambda made: a_fingerprint(made.key))
    answer = factory.LazyFunction(dict)


class SagaFactory(DjangoModelFactory):
    class Meta:
        model = Saga

    order = factory.SubFactory(OrderFactory)
    step = "authorize_payment"
    due_at = factory.LazyFunction(timezone.now)
    deadline_at = factory.LazyFunction(lambda: timezone.now() + timedelta(minutes=15))


class SagaStepFactory(DjangoModelFactory):
    class Meta:
        model = SagaStep

    saga = factory.SubFactory(SagaFactory)
    step = factory.SelfAttribute("saga.step")
    direction = "do"
    outcome = "done"
    attempt = 1
    epoch = 1


class ReturnFactory(DjangoModelFactory):
    class Meta:
        model = Return

    order = factory.SubFactory(OrderFactory, status=Order.Status.DELIVERED)
    reason = "too large"


class ReturnLineFactory(DjangoModelFactory):
    class Meta:
        model = ReturnLine

    of_return = factory.SubFactory(ReturnFactory)
    line = factory.SubFactory(OrderLineFactory, order=factory.SelfAttribute("..of_return.order"))
    quantity = 1


# --- Payments and notifications -------------------------------------------------------------------


class PaymentFactory(DjangoModelFactory):
    """A payment the gateway has not heard of. Traits: authorized, captured, failed."""

    class Meta:
        model = Payment

    class Params:
        authorized = factory.Trait(
            status=Payment.Status.AUTHORIZED, intent_id=factory.Sequence("pi_test_{}".format)
        )
        captured = factory.Trait(
            status=Payment.Status.CAPTURED,
            intent_id=factory.Sequence("pi_test_{}".format),
            captured_amount=factory.SelfAttribute("amount"),
        )
        failed = factory.Trait(status=Payment.Status.FAILED, decline_code="generic_decline")

    order_id = factory.LazyFunction(uuid.uuid4)
    amount = 2399
    currency = "USD"
    payment_method = "pm_card_visa"


class RefundFactory(DjangoModelFactory):
    class Meta:
        model = Refund

    payment = factory.SubFactory(PaymentFactory, captured=True)
    amount = factory.SelfAttribute("payment.captured_amount")
    purpose = "cancellation"
    actor = "tests"


class GatewayCallFactory(DjangoModelFactory):
    class Meta:
        model = GatewayCall

    payment = factory.SubFactory(PaymentFactory)
    purpose = "authorize"
    outcome = "ok"


class WebhookInboxFactory(DjangoModelFactory):
    class Meta:
        model = WebhookInbox

    event_id = factory.Sequence("evt_test_{}".format)
    type = "payment_intent.succeeded"
    payload = factory.LazyFunction(dict)


class NotificationFactory(DjangoModelFactory):
    class Meta:
        model = Notification

    order_id = factory.LazyFunction(uuid.uuid4)
    kind = "order-confirmed"
    to = "alice@example.com"
    subject = "Your order is confirmed"
    body = "Thank you."


# --- Characters -----------------------------------------------------------------------------------


def make_alice(**fields: Any) -> User:
    return UserFactory(**{"email": "alice@example.com", "name": "Alice Archer"} | fields)


def make_bob(**fields: Any) -> User:
    return UserFactory(**{"email": "bob@example.com", "name": "Bob Baker"} | fields)


def make_clerk(**fields: Any) -> User:
    """Staff with every permission."""
    return StaffFactory(**{"email": "clerk@kettleandpine.example"} | fields)


def a_product(
    name: str, *, price: int = 1800, stock: int | None = 10, sku: str | None = None, **fields: Any
) -> Variant:
    """A published product of one variant, with `stock` on the shelf (None: no shelf at all)."""
    variant_fields = {
        field: fields.pop(field)
        for field in ("weight_grams", "compare_at_amount", "taxable", "requires_shipping", "active")
        if field in fields
    }
    product = ProductFactory(name=name, **fields)
    return VariantFactory(
        product=product,
        sku=sku or f"{product.slug.upper()}-{product.pk}",
        price_amount=price,
        stock=stock,
        **variant_fields,
    )


def a_mug(*, stock: int | None = 10, price: int = 1800, **fields: Any) -> Variant:
    """A stoneware mug, $18.00, 350 g."""
    fields.setdefault("slug", f"stoneware-mug-{uuid.uuid4().hex[:8]}")
    return a_product("Stoneware Mug", price=price, stock=stock, **fields)


def a_kettle(*, stock: int | None = 10, price: int = 8900, **fields: Any) -> Variant:
    """A gooseneck kettle, $89.00, 1.2 kg."""
    fields.setdefault("slug", f"gooseneck-kettle-{uuid.uuid4().hex[:8]}")
    fields.setdefault("weight_grams", 1200)
    return a_product("Gooseneck Kettle", price=price, stock=stock, **fields)


def sold_out_mug(**fields: Any) -> Variant:
    """A mug whose shelf is empty."""
    return a_mug(stock=0, **fields)


def held_mug(*, stock: int = 2, **fields: Any) -> Variant:
    """A mug of which every unit is on hand and every unit is held by other orders."""
    mug = a_mug(stock=None, **fields)
    StockItemFactory(variant=mug, on_hand=stock, reserved=stock)
    return mug


def ship_everywhere(*, price: int = 599, code: str = "standard", **fields: Any) -> Method:
    """A shipping method to any country at one price."""
    method = MethodFactory(code=code, name=code.title(), **fields)
    RateFactory(method=method, price_amount=price)
    return method


def a_sales_tax(*, rate_bp: int = 825, country: str = "US", region: str = "") -> TaxRate:
    return TaxRateFactory(country=country, region=region, rate_bp=rate_bp)


def a_flash_sale(*variants: Variant, **fields: Any) -> FlashSale:
    """A sale of `variants` that runs for another hour, with a stock gate and no waiting room."""
    now = timezone.now()
    times = {
        "doors_at": now - timedelta(minutes=10),
        "starts_at": now - timedelta(minutes=1),
        "ends_at": now + timedelta(hours=1),
    }
    slug = f"winter-sale-{uuid.uuid4().hex[:8]}"
    sale = FlashSale.objects.create(**{"name": "Winter Sale", "slug": slug} | times | fields)
    sale.variants.set(variants)
    on_sale.forget()
    return sale
