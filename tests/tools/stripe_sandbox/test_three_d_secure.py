"""The 3-D Secure page, walked through over HTTP as a browser without script would."""

from __future__ import annotations

import re
from urllib.parse import parse_qs, urlsplit

import pytest
import stripe

from tests.payments.sandbox_process import SandboxProcess
from tests.tools.stripe_sandbox.test_payments import authorized


def challenge(client: stripe.StripeClient, token: str = "pm_card_threeDSecure2Required", **given):
    intent = authorized(client, payment_method=token, **given)
    assert intent.status == "requires_action"
    assert intent.next_action is not None
    assert intent.next_action.redirect_to_url is not None
    url = str(intent.next_action.redirect_to_url.url)
    return intent, urlsplit(url).path


def decide(sandbox: SandboxProcess, page: str, decision: str) -> dict[str, list[str]]:
    answer = sandbox.raw("POST", page, f"decision={decision}", key="")
    assert answer.status == 303
    where = urlsplit(answer.headers["location"])
    assert f"{where.scheme}://{where.netloc}{where.path}" == "http://shop.test/back"
    return parse_qs(where.query)


@pytest.mark.parametrize(
    "token",
    [
        "pm_card_threeDSecure2Required",
        "pm_card_threeDSecureRequired",
        "pm_card_authenticationRequired",
    ],
)
def test_approval_authorizes_and_leads_back(
    sandbox: SandboxProcess, client: stripe.StripeClient, token: str
) -> None:
    intent, page = challenge(client, token)
    assert intent.latest_charge is None
    shown = sandbox.raw("GET", page, key="")
    assert shown.status == 200
    assert "19.99 USD" in shown.data.decode()

    query = decide(sandbox, page, "approve")

    assert query["redirect_status"] == ["succeeded"]
    assert query["payment_intent"] == [intent.id]
    after = client.v1.payment_intents.retrieve(intent.id)
    assert (after.status, after.amount_capturable) == ("requires_capture", 1999)
    assert after.next_action is None
    assert client.v1.payment_intents.capture(intent.id).status == "succeeded"


def test_refusal_charges_nothing_and_leads_back(
    sandbox: SandboxProcess, client: stripe.StripeClient
) -> None:
    intent, page = challenge(client)
    assert decide(sandbox, page, "refuse")["redirect_status"] == ["failed"]
    after = client.v1.payment_intents.retrieve(intent.id)
    assert (after.status, after.latest_charge) == ("requires_payment_method", None)
    assert after.last_payment_error is not None
    assert after.last_payment_error.code == "payment_intent_authentication_failure"


def test_second_answer_changes_nothing(
    sandbox: SandboxProcess, client: stripe.StripeClient
) -> None:
    intent, page = challenge(client)
    decide(sandbox, page, "approve")
    assert decide(sandbox, page, "refuse")["redirect_status"] == ["succeeded"]
    assert client.v1.payment_intents.retrieve(intent.id).status == "requires_capture"
    assert sandbox.raw("GET", page, key="").status == 303, "opening it again leads back, too"


def test_looking_at_the_page_approves_nothing(
    sandbox: SandboxProcess, client: stripe.StripeClient
) -> None:
    intent, page = challenge(client)
    sandbox.raw("GET", page, key="")
    sandbox.raw("HEAD", page, key="")
    assert client.v1.payment_intents.retrieve(intent.id).status == "requires_action"


def test_page_needs_its_secret(sandbox: SandboxProcess, client: stripe.StripeClient) -> None:
    intent, page = challenge(client)
    guessed = page.rsplit("/", 1)[0] + "/" + "x" * 32
    assert sandbox.raw("GET", guessed, key="").status == 404
    assert sandbox.raw("POST", guessed, "decision=approve", key="").status == 404
    assert sandbox.raw("GET", "/3d-secure/pi_none/x", key="").status == 404
    assert client.v1.payment_intents.retrieve(intent.id).status == "requires_action"


def test_cancelled_payment_cannot_be_approved_any_more(
    sandbox: SandboxProcess, client: stripe.StripeClient
) -> None:
    intent, page = challenge(client)
    client.v1.payment_intents.cancel(intent.id)
    assert decide(sandbox, page, "approve")["redirect_status"] == ["failed"]
    assert client.v1.payment_intents.retrieve(intent.id).status == "canceled"


def test_approved_card_may_still_be_declined(
    sandbox: SandboxProcess, client: stripe.StripeClient
) -> None:
    intent, page = challenge(client, "pm_card_threeDSecureRequiredChargeDeclined")
    assert decide(sandbox, page, "approve")["redirect_status"] == ["failed"]
    after = client.v1.payment_intents.retrieve(intent.id)
    assert after.last_payment_error is not None
    assert (after.status, after.last_payment_error.code) == (
        "requires_payment_method",
        "card_declined",
    )


def test_off_session_payment_that_needs_the_shopper_is_declined(
    client: stripe.StripeClient,
) -> None:
    with pytest.raises(stripe.CardError) as declined:
        authorized(client, payment_method="pm_card_authenticationRequired", off_session=True)
    assert declined.value.error is not None
    assert declined.value.error.decline_code == "authentication_required"


def test_return_address_keeps_its_own_parameters(
    sandbox: SandboxProcess, client: stripe.StripeClient
) -> None:
    _, page = challenge(client, return_url="http://shop.test/back?order=7")
    assert decide(sandbox, page, "approve")["order"] == ["7"]


def test_page_is_inert_and_escaped(sandbox: SandboxProcess, client: stripe.StripeClient) -> None:
    _, page = challenge(client, return_url="http://<b>shop</b>.test/back")
    answer = sandbox.raw("GET", page, key="")
    html = answer.data.decode()
    assert "<b>shop" not in html
    assert "<script" not in html
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    assert answer.headers["cache-control"] == "no-store"
    assert not re.search(r"\{\{\w+\}\}", html)
