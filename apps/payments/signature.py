"""Stripe's webhook signature: HMAC-SHA256 over `timestamp.body`, with the endpoint's secret.

https://docs.stripe.com/webhooks#verify-manually. Written out here because `stripe` is imported in
one module only; the tests hold it against the official client's own verification.
"""

import hashlib
import hmac
import time


class BadSignature(Exception):
    """Unsigned, signed by somebody else, or too old."""


def verify(body: bytes, header: str, *, secret: str, tolerance: int) -> None:
    """Raise BadSignature unless `header` (`t=…,v1=…`) signs `body`.

    `tolerance` is the age in seconds up to which a signature is good; 0 means any age.
    """
    timestamp, signatures = "", []
    for part in header.split(","):
        name, _, value = part.strip().partition("=")
        if name == "t":
            timestamp = value
        elif name == "v1":
            signatures.append(value)
    if not timestamp.isascii() or not timestamp.isdigit() or len(timestamp) > 12:
        raise BadSignature("no timestamp")
    expected = hmac.new(
        secret.encode(), timestamp.encode() + b"." + body, hashlib.sha256
    ).hexdigest()
    # Bytes, because compare_digest refuses text that is not ASCII with a TypeError.
    matching = [hmac.compare_digest(expected.encode(), s.encode()) for s in signatures]
    if not any(matching):
        raise BadSignature("no matching signature")
    if tolerance and abs(time.time() - int(timestamp)) > tolerance:
        raise BadSignature("too old")
