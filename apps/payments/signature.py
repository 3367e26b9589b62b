"""Stripe's webhook signature: HMAC-SHA256 over `timestamp.body`, with the endpoint's secret.

https://docs.stripe.com/webhooks#verify-manually. Written out here because `stripe` is imported by
its gateway only; the tests hold it against the official client's own verification.
"""

import hashlib
import hmac
import re
import time


class BadSignature(Exception):
    """The event is unsigned, signed with another secret, or too old."""


def verify(body: bytes, header: str, *, secret: str, tolerance: int) -> None:
    """Raise BadSignature unless `header` (`t=…,v1=…`) signs `body`.

    `tolerance` is the age in seconds up to which a signature is good; 0 means any age.
    """
    timestamps, signatures = [], []
    for part in header.split(","):
        name, _, value = part.partition("=")
        if name == "t":
            timestamps.append(value)
        elif name == "v1":
            signatures.append(value)
    if not timestamps or not re.fullmatch("[0-9]{1,12}", timestamps[0]):
        raise BadSignature("no timestamp")
    signed_at = int(timestamps[0])
    expected = hmac.new(secret.encode(), b"%d.%s" % (signed_at, body), hashlib.sha256).hexdigest()
    # Bytes, because compare_digest refuses text that is not ASCII with a TypeError.
    matching = [hmac.compare_digest(expected.encode(), s.encode()) for s in signatures]
    if not any(matching):
        raise BadSignature("no matching signature")
    # Only too old is wrong, as Stripe has it: a time ahead of ours is our own clock's fault, and
    # with the signature no stranger can have chosen it.
    if tolerance and signed_at < time.time() - tolerance:
        raise BadSignature("too old")
