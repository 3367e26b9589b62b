"""`@idempotent`: a POST that is sent again with its Idempotency-Key gets the first one's answer.

    @idempotent()
    class OrderReturns(OrderEndpoint): …

What a call with a key does, in one transaction:

1. Claim the key. Another request is at work with it: 409 `idempotency_in_flight`.
2. An answer is kept: the same body gets it again, with `Idempotent-Replayed: true`; another body
   gets 422 `idempotency_key_reused`.
3. Run the view. A refusal rolls back and keeps nothing: nothing was done, so the key stays free,
   and the client may send what it has mended.
4. Keep the answer and commit it together with what the view wrote.

Where the view writes to Redis (a guest's cart, a ticket) a crash between 3 and 4 leaves a cart
whose token no client was told; the same request, sent again, makes another one, and that is the
only one that was answered. So the answer is in PostgreSQL for those calls as well.

A key counts at one address of the API, for one order. Whose it is: the account's; else that of the
holder of the order's or the cart's token; else one network address's. A call whose body is a secret
(a password) is recognised by that body from any address. Without a key the view runs as it is.
Checkouts have the same rules in the intake, which commits many orders at once
(orders/intake/queue.py).
"""

import hashlib
import hmac
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import wraps
from typing import Any, TypeVar

import orjson
from django.conf import settings
from django.db import transaction
from django.utils.crypto import salted_hmac
from rest_framework.request import Request
from rest_framework.response import Response

from apps.api import kept_answers
from apps.api.endpoint import CART_TOKEN, ORDER_TOKEN, Endpoint, sent, token_in
from apps.api.models import KeptAnswer
from apps.core.client_addresses import client_address
from apps.core.problems import Problem
from apps.orders.errors import IdempotencyInFlight, IdempotencyKeyReused

HEADER = "HTTP_IDEMPOTENCY_KEY"
KEY = re.compile(r"[\x21-\x7e]{1,255}")
SALT = "apps.api.idempotency"
REPLAYED = {"Idempotent-Replayed": "true"}

E = TypeVar("E", bound=Endpoint)
Document = dict[str, Any]


def key_in(meta: Mapping[str, Any]) -> str | None:
    """The client's key; None without the header. Raises Problem 400 when it is not valid."""
    key: str | None = meta.get(HEADER)
    if key is not None and not KEY.fullmatch(key):
        raise Problem(
            400, "idempotency_key_invalid", "An Idempotency-Key has 1 to 255 visible characters."
        )
    return key


@dataclass(frozen=True)
class Rules:
    """How one call is repeated.

    secret_body: the body holds what only one person knows, so it may come from another address.
    without_secrets, with_secrets: from an answer to what may be kept of it, and back. A table holds
    no token that opens something.
    """

    secret_body: bool = False
    without_secrets: Callable[[Document], Document] | None = None
    with_secrets: Callable[[Document], Document] | None = None


def idempotent(
    *,
    secret_body: bool = False,
    without_secrets: Callable[[Document], Document] | None = None,
    with_secrets: Callable[[Document], Document] | None = None,
) -> Callable[[type[E]], type[E]]:
    """Decorate an endpoint: its `post` honours the header. The arguments are those of Rules."""
    rules = Rules(secret_body, without_secrets, with_secrets)

    def decorate(endpoint: type[E]) -> type[E]:
        post = endpoint.post  # type: ignore[attr-defined]

        @wraps(post)
        def once(view: E, request: Request, *args: Any, **kwargs: Any) -> Response:
            key = key_in(request.META)
            if key is None:
                answer: Response = post(view, request, *args, **kwargs)
                return answer
            name = kept_answers.name_of(_scope(request, rules), request.path, key)
            said = _said(request)
            with transaction.atomic():
                if not kept_answers.claim(name):
                    raise IdempotencyInFlight
                kept = kept_answers.find(name)
                if kept is not None:
                    return _again(kept, said, rules)
                answer = post(view, request, *args, **kwargs)
                _keep(name, said, answer, rules)
            return answer

        endpoint.post = once  # type: ignore[attr-defined]
        return endpoint

    return decorate


def _keep(name: str, said: bytes, answer: Response, rules: Rules) -> None:
    document = answer.data
    kept_answers.keep(
        name,
        _fingerprint(said, settings.SECRET_KEY),
        status=answer.status_code,
        # The type is the renderer's to say.
        headers={name: text for name, text in answer.items() if name != "Content-Type"},
        document=rules.without_secrets(document) if rules.without_secrets else document,
    )


def _again(kept: KeptAnswer, said: bytes, rules: Rules) -> Response:
    """The kept answer, for the same request; raises IdempotencyKeyReused for another one."""
    secrets = (settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS)
    known = bytes(kept.fingerprint)
    if not any(hmac.compare_digest(_fingerprint(said, secret), known) for secret in secrets):
        raise IdempotencyKeyReused
    document = orjson.loads(kept.body)
    return Response(
        rules.with_secrets(document) if rules.with_secrets else document,
        status=kept.status,
        headers=kept.headers | REPLAYED,
    )


def _scope(request: Request, rules: Rules) -> str:
    user = request.user
    if user is not None and user.is_authenticated:
        return f"user:{user.pk}"
    token = token_in(request.META, ORDER_TOKEN) or token_in(request.META, CART_TOKEN)
    if token:
        return f"guest:{hashlib.sha256(token.encode()).hexdigest()}"
    return "guest" if rules.secret_body else f"address:{client_address(request.META)}"


def _said(request: Request) -> bytes:
    """The body, by which two requests are the same; blanks and order do not count."""
    # Not orjson: a client may send a number of more than 64 bits.
    return json.dumps(sent(request), sort_keys=True, separators=(",", ":")).encode()


def _fingerprint(said: bytes, secret: str) -> bytes:
    digest = hashlib.sha256(said).digest()
    return salted_hmac(SALT, digest, secret=secret, algorithm="sha256").digest()
