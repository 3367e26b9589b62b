"""Numbers of the checkout: the intake's batches, holds, and how much one shopper may order."""

from datetime import timedelta

from storefront.settings.base import DEVELOPMENT
from storefront.settings.environment import count, one_of, read, seconds

SHOP_CURRENCY = "USD"
# Where shoppers send returns to, one line each as on a parcel.
RETURNS_ADDRESS = ("Kettle & Pine, Returns", "48 Mill Lane", "Portland, OR 97209", "United States")
INVENTORY_STRATEGY = read(
    "INVENTORY_STRATEGY", one_of("conditional", "pessimistic", "optimistic"), "conditional"
)
INTAKE_BATCH_MAX = 200
INTAKE_QUEUE_MAX = 2_000
INTAKE_WAIT = timedelta(seconds=10)
HOLD_TIME = timedelta(minutes=15)
HOLD_TIME_CAP = timedelta(minutes=60)
if DEVELOPMENT:
    # A fault run cannot wait for an hour to see what an outage longer than that does.
    HOLD_TIME = timedelta(seconds=read("HOLD_SECONDS", count, HOLD_TIME.seconds))
    HOLD_TIME_CAP = timedelta(seconds=read("HOLD_CAP_SECONDS", count, HOLD_TIME_CAP.seconds))
# How long a shopper may leave the bank's confirmation unanswered before the units are released. It
# is HOLD_TIME for a shopper who has gone from our page to the bank's.
ACTION_TIME = min(timedelta(minutes=5), HOLD_TIME)
# How long the units of an order are held after a card was declined, so that the shopper can pay
# with another one; 0: the order is called off at once. Never past HOLD_TIME_CAP.
PAYMENT_RETRY_TIME = timedelta(seconds=read("PAYMENT_RETRY_TIME", seconds(most=86_400), 600))
PAYMENT_ATTEMPTS = 5  # cards that are tried for one order: it must not be a way to test stolen ones
# What one order, and one customer, may have; a product and a flash sale may say otherwise.
UNITS_PER_LINE = 100  # of one SKU in one order
UNITS_PER_ORDER = 500  # of all SKUs in one order
UNITS_PER_CUSTOMER: int | None = None  # of one product in CUSTOMER_WINDOW; None: no limit
CUSTOMER_WINDOW = timedelta(hours=24)
# What may be held without being paid (ADR 33). Of one SKU by one network address: this many units,
# or this share of the stock on hand where that is more. One address may be a household, an office
# or a part of a mobile network; most shoppers pay within seconds.
UNPAID_UNITS_OF_ADDRESS = 20
UNPAID_SHARE_OF_ADDRESS = 0.2
UNPAID_ORDERS_OF_CUSTOMER = 5  # by mailbox for guests, by account for signed-in customers
UNPAID_ORDERS_OF_CARD = 3  # that wait for the shopper's bank
CART_TIME = timedelta(days=14)  # a guest's cart, since the last change
CART_AGE_MAX = timedelta(days=28)  # and since it was made: a script cannot keep many carts for ever
