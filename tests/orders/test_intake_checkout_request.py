"""A checkout request: when two are the same one, and what is taken from the cart."""

from uuid import uuid4

import pytest

from apps.cart.basket import CartLineView, CartView
from apps.orders.intake.checkout_request import RequestIdentity, build, client_digest, identify
from tests.factories import ADDRESS

SENT = {"email": "alice@example.com", "shipping_method": "standard"}
META = {"REMOTE_ADDR": "198.51.100.7"}


def built(identity: RequestIdentity, **given):
    return build(
        identity,
        META,
        **{
            "email": "alice@example.com",
            "shipping_address": ADDRESS.copy(),
            "shipping_method": "standard",
            "payment_method": "pm_card_visa",
            "user_id": None,
            "base_url": "https://shop.example",
            "tickets": (),
            "expected_total": None,
        }
        | given,
    )


class TestIdentity:
    def test_is_the_same_whatever_the_order_of_fields(self):
        backwards = dict(reversed(SENT.items()))

        assert identify("k-1", SENT, user_id=None) == identify("k-1", backwards, user_id=None)

    def test_has_a_digest_of_32_bytes(self):
        assert len(identify("k-1", SENT, user_id=None).fingerprint) == 32

    @pytest.mark.parametrize(
        ("who", "scope"),
        [
            ({"user_id": None}, "guest"),
            ({"user_id": None, "guest_secret": "5ec7e7"}, "guest:5ec7e7"),
            ({"user_id": 7}, "user:7"),
        ],
    )
    def test_key_belongs_to_one_account_or_one_session(self, who, scope):
        assert identify("k-1", SENT, **who).scope == scope

    def test_same_words_of_another_person_have_another_fingerprint(self):
        one, other = (identify("k-1", SENT, user_id=user_id) for user_id in (7, 8))

        assert one.fingerprint != other.fingerprint

    def test_other_words_have_another_fingerprint(self):
        one = identify("k-1", SENT, user_id=None)
        other = identify("k-1", SENT | {"email": "bob@example.com"}, user_id=None)

        assert one.fingerprint != other.fingerprint


class TestBuild:
    identity = identify("k-1", SENT, user_id=None)

    def test_orders_the_cart_as_it_was_read(self):
        cart = CartView(
            id=uuid4(),
            owner_id=None,
            token="t",
            lines=(CartLineView("MUG", 2), CartLineView("KETTLE", 1)),
            promo_codes=("TEN",),
            open=True,
            version=4,
        )

        request = built(self.identity, cart=cart, lines=(("OTHER", 9),), promo_codes=("OTHER",))

        assert (request.cart_id, request.cart_version) == (cart.id, 4)
        assert request.lines == (("MUG", 2), ("KETTLE", 1))
        assert request.promo_codes == ("TEN",)

    def test_orders_the_lines_where_there_is_no_cart(self):
        request = built(self.identity, lines=(("MUG", 2),), promo_codes=("TEN",))

        assert (request.cart_id, request.cart_version) == (None, None)
        assert (request.lines, request.promo_codes) == ((("MUG", 2),), ("TEN",))

    def test_carries_the_identity_and_the_digest_of_the_address(self, settings):
        settings.RATE_LIMITS = True

        request = built(self.identity)

        assert (request.scope, request.key, request.fingerprint) == self.identity
        assert request.client == client_digest("198.51.100.7") != ""
