"""The address of a request's client, behind the proxies that the settings trust."""

import ipaddress
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from django.conf import settings

UNKNOWN = "unknown"  # no valid address at all


def client_address(meta: Mapping[str, Any]) -> str:
    """The client's address, from a WSGI environ or `request.META`, in one spelling."""
    return address_of(
        peer=str(meta.get("REMOTE_ADDR") or ""),
        forwarded_for=str(meta.get("HTTP_X_FORWARDED_FOR") or ""),
    )


def address_of(*, peer: str, forwarded_for: str) -> str:
    """The client's address as our own proxies saw it.

    settings.TRUSTED_PROXIES is how many of them there are. Each appends the address that it got the
    request from, so the client's is that many entries from the right. Entries further left are
    written by the client: trusting them would give every request a new address, and a new limit.
    Without a valid entry the peer's address counts. An IPv6 client is its /64, because one host
    owns all of that.
    """
    return _normal_address(seen_by_proxies(forwarded_for) or "") or _normal_address(peer) or UNKNOWN


def seen_by_proxies(forwarded_for: str) -> str | None:
    """The entry of X-Forwarded-For that our own proxies wrote; None when there is none."""
    proxies = settings.TRUSTED_PROXIES
    if proxies and forwarded_for:
        entries = forwarded_for[-1000:].split(",")
        if len(entries) >= proxies:
            return entries[-proxies].strip()
    return None


@lru_cache(maxsize=4096)
def _normal_address(text: str) -> str:
    """`text` as one spelling of an address, without a port; empty when it is none."""
    address = parse_address(text)
    if address is None:
        return ""
    if isinstance(address, ipaddress.IPv6Address):
        return str(ipaddress.ip_network((address, 64), strict=False))
    return str(address)


def parse_address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    """The address in `text`, which may have a port or a zone; None when it is none."""
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        address = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return None
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped:
        return address.ipv4_mapped
    return address
