"""`/metrics` for Prometheus: who may read it, and one scrape for all who ask at the same time.

A scrape costs two dozen queries. So it is made once for all who ask within KEPT_SECONDS: one thread
of a process makes it, and the processes share it through the cache. This machine and the networks
of METRICS_ALLOW may read it; all others get 404.
"""

import time
from collections.abc import Mapping
from typing import Any

from django.conf import settings
from django.core.cache import cache
from django.http import Http404, HttpRequest, HttpResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe
from prometheus_client.exposition import CONTENT_TYPE_LATEST

from apps.core.client_addresses import parse_address, seen_by_proxies
from apps.core.metrics_scrape import scrape
from apps.core.probing import PROBE_SECONDS
from apps.core.shared_answer import SharedAnswer

KEPT_SECONDS = 2
# Prometheus gives up after ten seconds; an older answer describes another time.
AT_MOST_SECONDS = 15
ANSWER, MAKING = "metrics:answer", "metrics:making"
# Longer than a scrape that runs into its time-outs: after that, its process may have died.
MAKING_SECONDS = 5 * PROBE_SECONDS


def _scrape_once() -> bytes:
    """The numbers, read by this process or by another one up to KEPT_SECONDS ago.

    The mark MAKING saves work and is no lock: without the cache each process makes its own scrape,
    and two at once do no harm.
    """
    deadline = time.monotonic() + MAKING_SECONDS
    while True:
        kept: bytes | None = cache.get(ANSWER)
        if kept is not None:
            return kept
        # None: the cache does not answer.
        if cache.add(MAKING, 1, timeout=MAKING_SECONDS) is not False:
            break
        if time.monotonic() > deadline:
            break
        time.sleep(0.05)
    try:
        text = scrape()
        cache.set(ANSWER, text, timeout=KEPT_SECONDS)
    finally:
        cache.delete(MAKING)
    return text


def _new_kept() -> SharedAnswer[bytes]:
    return SharedAnswer(_scrape_once, good_for=KEPT_SECONDS, at_most=AT_MOST_SECONDS)


_kept = _new_kept()


def may_read(meta: Mapping[str, Any]) -> bool:
    """Whether the sender of this request (`request.META`) is this machine or in METRICS_ALLOW.

    Behind trusted proxies only their X-Forwarded-For counts. Where it cannot be trusted (a header
    without TRUSTED_PROXIES, too few entries, no address) the peer's address does not count in its
    place: the peer is the proxy then, which runs on this machine.
    """
    forwarded_for = str(meta.get("HTTP_X_FORWARDED_FOR") or "")
    seen = seen_by_proxies(forwarded_for) if forwarded_for else str(meta.get("REMOTE_ADDR") or "")
    address = parse_address(seen or "")
    if address is None:
        return False
    return address.is_loopback or any(address in network for network in settings.METRICS_ALLOW)


@never_cache
@require_safe
def metrics(request: HttpRequest) -> HttpResponse:
    """The numbers, at most KEPT_SECONDS old; 404 for those who may not read them."""
    if not may_read(request.META):
        raise Http404
    return HttpResponse(_kept.answer(), content_type=CONTENT_TYPE_LATEST)
