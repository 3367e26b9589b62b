"""The card issuer's 3-D Secure page: approve or refuse, then a redirect to the shop.

One page without script, so it works wherever the shop does. Its address carries a secret of the
challenge; the answer is a POST, so a prefetching browser approves nothing. Answering twice, or
late, changes nothing and leads back to the shop with how the payment really stands.
"""

from __future__ import annotations

import asyncio
import hmac
from html import escape
from pathlib import Path
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route

from tools.stripe_sandbox import intent_attempts, objects, params
from tools.stripe_sandbox.api import Api
from tools.stripe_sandbox.cards import CARDS
from tools.stripe_sandbox.protocol import Call
from tools.stripe_sandbox.request_context import RequestContext
from tools.stripe_sandbox.store import Record

_PAGE = Path(__file__).with_name("three_d_secure.html").read_text(encoding="utf-8")
_HEADERS = {
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    # No form-action: it would also hold the redirect that leads back to the shop.
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; base-uri 'none'"
    ),
}


class ThreeDSecure:
    def __init__(self, api: Api) -> None:
        self._api = api

    def routes(self) -> list[Route]:
        path = "/3d-secure/{intent_id}/{secret}"
        return [
            Route(path, self.show, methods=["GET"]),
            Route(path, self.decide, methods=["POST"]),
        ]

    async def show(self, request: Request) -> Response:
        record = self._challenged(request)
        if record is None:
            return self._gone()
        if record.shown["status"] != "requires_action":
            return self._settled(record)
        return HTMLResponse(self._page(record), headers=_HEADERS)

    async def decide(self, request: Request) -> Response:
        record = self._challenged(request)
        if record is None:
            return self._gone()
        form = dict(parse_qsl((await request.body()).decode("utf-8", "replace")))
        decision = form.get("decision")
        if decision not in ("approve", "refuse"):
            return HTMLResponse(self._page(record), status_code=400, headers=_HEADERS)
        call = Call(
            operation="three_d_secure.decide",
            method="POST",
            path=request.url.path,
            id=record.id,
            params={},
            request_id=objects.new_id("req"),
            key=None,
            base_url="",
            client=None,
        )
        chosen = self._api.faults.choose(call, record.shown["metadata"])
        await asyncio.sleep(self._api.latency_s)
        context = RequestContext(self._api.state, call)
        intent_attempts.decide(context, record, approved=decision == "approve")
        context.record_deliveries(chosen.webhooks)
        await self._api.state.store.committed()
        context.dispatch(chosen.webhooks)
        return self._settled(record)

    def _challenged(self, request: Request) -> Record | None:
        record = self._api.state.store.get(request.path_params["intent_id"], "payment_intent")
        if record is None:
            return None
        secret = record.kept.get("challenge", "")
        if not secret or not hmac.compare_digest(
            secret.encode(), request.path_params["secret"].encode()
        ):
            return None
        return record

    def _settled(self, record: Record) -> Response:
        """Back to the shop, with the parameters that Stripe adds."""
        return_url = record.kept.get("return_url")
        if not return_url:
            return HTMLResponse(
                _notice("All done", "You can close this page and go back to the shop."),
                headers=_HEADERS,
            )
        parts = urlsplit(return_url)
        passed = record.shown["status"] in ("requires_capture", "succeeded", "processing")
        query = [
            *parse_qsl(parts.query, keep_blank_values=True),
            ("payment_intent", record.id),
            ("payment_intent_client_secret", record.shown["client_secret"]),
            ("redirect_status", "succeeded" if passed else "failed"),
        ]
        return RedirectResponse(
            urlunsplit(parts._replace(query=urlencode(query))), status_code=303, headers=_HEADERS
        )

    def _gone(self) -> Response:
        return HTMLResponse(
            _notice(
                "Nothing to confirm here",
                "This link is not valid, or the payment was started again with another card. "
                "Go back to the shop to see how your order stands.",
            ),
            status_code=404,
            headers=_HEADERS,
        )

    def _page(self, record: Record) -> str:
        shown = record.shown
        card = CARDS[objects.TOKENS[shown["payment_method"]]] if shown["payment_method"] else None
        return (
            _PAGE.replace("{{title}}", "Confirm this payment")
            .replace("{{lead}}", "Your bank wants to be sure that it is you who is paying.")
            .replace("{{amount}}", escape(_amount(shown["amount"], shown["currency"])))
            .replace("{{card}}", escape(f"{card.brand.title()} •••• {card.last4}" if card else ""))
            .replace("{{shop}}", escape(urlsplit(record.kept.get("return_url") or "").netloc))
            .replace("{{payment}}", escape(record.id))
        )


def _notice(title: str, lead: str) -> str:
    head, _, rest = _PAGE.partition("<!-- challenge -->")
    _, _, foot = rest.partition("<!-- /challenge -->")
    return (head + foot).replace("{{title}}", escape(title)).replace("{{lead}}", escape(lead))


def _amount(amount: int, currency: str) -> str:
    decimals = params.decimals(currency)
    return f"{amount / 10**decimals:,.{decimals}f} {currency.upper()}"
