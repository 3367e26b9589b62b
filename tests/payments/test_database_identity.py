"""A copy of the shop's database changes nothing at the gateway until a person says that it may."""

from __future__ import annotations

import io
from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.core.management import CommandError, call_command
from django.db import OperationalError, connection
from django.utils import timezone
from djstripe.models import WebhookEndpoint

from apps.orders.fulfilment.cancellation import request_cancellation
from apps.payments import database_identity, refunds
from apps.payments import gateway as gateways
from apps.payments.breaker import BreakerGateway
from apps.payments.database_identity import why_readonly
from apps.payments.endpoints import ensure_webhook_endpoint
from apps.payments.gateway import GatewayReadOnly
from apps.payments.models import KnownDatabase
from apps.payments.stripe_gateway import StripeGateway
from apps.payments.tasks import keep_webhook_endpoint
from tests import waiting
from tests.orders.purchases import Shop
from tests.payments.books import a_charge, compare, compare_all, rows, there
from tests.payments.patience import patience_of
from tests.payments.sandbox_process import KEY

pytestmark = pytest.mark.usefixtures("aged", "guarded")


@pytest.fixture(autouse=True)
def fresh_look() -> Any:
    database_identity.look_again()
    yield
    database_identity.look_again()


@pytest.fixture
def guarded(shop: Shop, settings: Any, request: pytest.FixtureRequest) -> None:
    """The gateway as processes have it, with real money behind it."""
    settings.GATEWAY_ASKS_WHICH_DATABASE = True
    settings.STRIPE_SECRET_KEY = settings.STRIPE_TEST_SECRET_KEY = KEY
    gateways._gateway = BreakerGateway(
        StripeGateway(
            secret_key=KEY,
            api_host=shop.sandbox.url,
            read_timeout_s=patience_of(request),
            why_readonly=why_readonly,
        )
    )


def copied() -> None:
    """From now on the database is a copy: the row says another place than where it stands."""
    database_identity.known()
    KnownDatabase.objects.update(place="0" * 64, place_name="shop at db.example:5432")
    database_identity.look_again()


def confirmed(*given: str) -> str:
    out = io.StringIO()
    call_command("confirm_database", "--yes", *given, stdout=out, stderr=out)
    return out.getvalue()


@pytest.fixture
def by_the_setting(settings: Any) -> Callable[[], None]:
    def set_it() -> None:
        settings.GATEWAY_READONLY = True

    return set_it


@pytest.fixture(params=["a copy", "GATEWAY_READONLY"])
def goes_readonly(request: pytest.FixtureRequest, by_the_setting: Any) -> Callable[[], None]:
    return copied if request.param == "a copy" else by_the_setting


def at_the_gateway(shop: Shop) -> list[Any]:
    """All that moves money there."""
    return [
        (i["id"], i["status"], i["amount_received"], i["amount_refunded"]) for i in shop.intents()
    ]


class TestPlace:
    def test_first_start_is_known_and_may_move_money(self, shop: Shop) -> None:
        assert why_readonly() == ""
        assert shop.place_confirmed()
        assert KnownDatabase.objects.get().confirmed_at is None

    def test_shop_that_was_tried_with_the_sandbox_gets_its_address_with_its_keys(
        self, settings: Any
    ) -> None:
        settings.GATEWAY_ASKS_WHICH_DATABASE = False
        database_identity.known()

        settings.GATEWAY_ASKS_WHICH_DATABASE = True
        settings.SHOP_URL = "https://shop.example"
        database_identity.look_again()

        assert why_readonly() == ""
        assert "shop.example" in KnownDatabase.objects.get().place_name

    def test_another_database_of_the_same_server_is_another_place(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        here = database_identity.place_now()
        other = connection.copy()
        other.settings_dict["NAME"] = "template1"
        monkeypatch.setattr(database_identity, "connection", other)
        try:
            there_ = database_identity.place_now()
        finally:
            other.close()

        assert here.digest != there_.digest
        assert there_.name.startswith("template1 at ")

    def test_another_address_is_another_place(self, settings: Any) -> None:
        """A replica's copy of the files has the same server and the same database in it."""
        here = database_identity.place_now()
        settings.SHOP_URL = "https://staging.example"

        assert database_identity.place_now().digest != here.digest

    def test_where_the_database_does_not_answer_nothing_is_sent(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def away() -> None:
            raise OperationalError("no route to host")

        monkeypatch.setattr(database_identity, "known", away)

        assert "no route to host" in why_readonly()


class TestReadOnly:
    def test_new_order_is_accepted_and_waits(
        self, shop: Shop, goes_readonly: Callable[[], None]
    ) -> None:
        goes_readonly()
        order_id = shop.place()

        shop.run()

        assert at_the_gateway(shop) == []
        assert (shop.order(order_id).status, shop.payment(order_id).asked_at) == ("PENDING", None)
        assert "GatewayReadOnly" in shop.saga(order_id).last_error

    def test_payments_under_way_are_neither_captured_nor_voided(
        self, shop: Shop, goes_readonly: Callable[[], None]
    ) -> None:
        order_id = shop.place()
        shop.run_until_step(order_id, "capture_payment")
        before = at_the_gateway(shop)
        goes_readonly()

        request_cancellation(order_id)
        for _ in range(3):
            shop.run()
            shop.hurry()

        assert [status for _, status, *_ in before] == ["requires_capture"]
        assert at_the_gateway(shop) == before

    def test_refund_waits_with_all_its_attempts(
        self, shop: Shop, goes_readonly: Callable[[], None]
    ) -> None:
        order_id = shop.place_confirmed()
        refund = refunds.request_refund(
            order_id, amount=100, purpose="goodwill", reason="chipped", actor="clerk"
        )
        before = at_the_gateway(shop)
        goes_readonly()

        refunds.send_due()

        refund.refresh_from_db()
        assert refund.status == "requested"
        assert at_the_gateway(shop) == before

    def test_money_without_an_order_is_named_and_stays(
        self, shop: Shop, goes_readonly: Callable[[], None]
    ) -> None:
        """A copy does not know the orders that came after it was made."""
        charges = [a_charge(shop, captured=True) for _ in range(3)]
        before = at_the_gateway(shop)
        goes_readonly()

        compare()
        compare_all()

        assert at_the_gateway(shop) == before
        assert rows() == [("no_payment", "open")] * len(charges)

    def test_no_endpoint_is_made_changed_or_deleted(
        self, shop: Shop, settings: Any, goes_readonly: Callable[[], None]
    ) -> None:
        ensure_webhook_endpoint()
        listed = shop.sandbox.client().v1.webhook_endpoints.list
        before = [there.id for there in listed().data]
        goes_readonly()

        settings.SHOP_URL = "http://127.0.0.1:1"  # else there would be nothing to do
        with pytest.raises(GatewayReadOnly):
            ensure_webhook_endpoint()

        assert [there.id for there in listed().data] == before
        assert keep_webhook_endpoint() is False


class TestConfirmed:
    def test_it_goes_on_where_it_stood(self, shop: Shop) -> None:
        copied()
        order_id = shop.place()
        shop.run()

        said = confirmed()
        shop.hurry()
        shop.run()

        assert "this is a copy" in said
        assert "Confirmed. Webhooks come to" in said
        shop.assert_confirmed(order_id)

    def test_what_the_original_took_meanwhile_is_for_a_person_to_decide(self, shop: Shop) -> None:
        of_the_original = a_charge(shop, captured=True)
        copied()
        compare()
        confirmed()
        at = KnownDatabase.objects.get().confirmed_at
        assert at is not None
        # The gateway counts in whole seconds; what is of the same one may be the original's.
        waiting.until(lambda: timezone.now() > at + timedelta(seconds=1))

        compare_all()
        own = a_charge(shop, captured=True)
        compare_all()

        assert there(shop, of_the_original) == ("succeeded", 2500, 0)
        assert there(shop, own) == ("succeeded", 2500, 2500)
        assert rows() == [("no_payment", "open"), ("no_payment", "resolved")]

    def test_nobody_is_asked_twice(self) -> None:
        ensure_webhook_endpoint()

        assert "nothing was changed" in confirmed()

    def test_without_an_answer_nothing_changes(self, shop: Shop) -> None:
        copied()

        with pytest.raises(CommandError, match="Nothing was changed"):
            call_command("confirm_database", stdout=io.StringIO(), stderr=io.StringIO())

        assert why_readonly()

    def test_gateway_that_does_not_answer_is_asked_again(
        self, shop: Shop, settings: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        copied()
        settings.STRIPE_API_HOST = "http://127.0.0.1:1"
        monkeypatch.setattr("apps.payments.management.commands.confirm_database.WAIT", 0.0)
        with pytest.raises(CommandError, match="again when the gateway answers"):
            confirmed()

        settings.STRIPE_API_HOST = shop.sandbox.url
        confirmed()
        assert len(shop.sandbox.client().v1.webhook_endpoints.list().data) == 1


class TestTwoDatabasesOfOneAddress:
    @pytest.fixture
    def first(self) -> UUID:
        """Another database has registered the shop's address, and this one is new."""
        ensure_webhook_endpoint()
        identity: UUID = KnownDatabase.objects.get().identity
        WebhookEndpoint.objects.all().delete()
        KnownDatabase.objects.update(identity=uuid4())
        database_identity.look_again()
        return identity

    def test_second_one_takes_nothing_away(self, shop: Shop, first: UUID) -> None:
        with pytest.raises(GatewayReadOnly, match="another database"):
            ensure_webhook_endpoint()

        (left,) = shop.sandbox.client().v1.webhook_endpoints.list().data
        assert left.metadata["shop_database"] == str(first)
        assert "another database" in why_readonly()

    def test_confirmed_it_takes_the_address_over(self, shop: Shop, first: UUID) -> None:
        said = confirmed()

        (left,) = shop.sandbox.client().v1.webhook_endpoints.list().data
        mine = KnownDatabase.objects.get().identity
        assert left.metadata["shop_database"] == str(mine) != str(first)
        assert "another database has registered" in said
        assert why_readonly() == ""

    def test_then_the_first_one_only_reads(self, shop: Shop, first: UUID) -> None:
        confirmed()
        KnownDatabase.objects.update(identity=first)

        with pytest.raises(GatewayReadOnly):
            ensure_webhook_endpoint()

    def test_confirmed_copy_replaces_the_endpoint_that_was_copied_with_it(self, shop: Shop) -> None:
        old = ensure_webhook_endpoint()
        copied()

        confirmed()

        (left,) = shop.sandbox.client().v1.webhook_endpoints.list().data
        assert left.id != old.id
        ensure_webhook_endpoint()
        assert why_readonly() == ""
