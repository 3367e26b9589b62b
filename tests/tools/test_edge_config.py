"""The edge's configuration, checked without running it."""

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest
from django.conf import settings
from hypothesis import given
from hypothesis import strategies as st

from tools.edge import limits, routes
from tools.edge.config import configuration
from tools.edge.parameters import Edge

PLAIN = Edge(
    port=8000,
    web_sockets=[Path("/run/shop/web-1.sock"), Path("/run/shop/web-2.sock")],
    live_port=8001,
    alive=Path("/run/shop/edge.sock"),
    hosts=["shop.example"],
    home=Path("/srv/shop"),
    static_root=Path("/srv/shop/static"),
    media_root=Path("/srv/shop/media"),
    page=settings.BASE_DIR / "templates" / "edge" / "page.html",
    session_cookie="sessionid",
    development=False,
)


def server(edge: Edge) -> dict:
    return configuration(edge)["apps"]["http"]["servers"]["edge"]


@given(limit=st.integers(1, 10**9), number=st.integers(0, 10**12))
def test_a_length_above_the_limit_is_told_by_its_digits(limit: int, number: int) -> None:
    assert bool(re.match(routes.more_than(limit), str(number))) is (number > limit)


@given(limit=st.integers(1, 10**9), step=st.integers(-2, 2))
def test_the_limit_itself_is_allowed(limit: int, step: int) -> None:
    number = limit + step
    assert bool(re.match(routes.more_than(limit), str(number))) is (number > limit)


def test_without_tls_only_http_1_is_spoken() -> None:
    assert server(PLAIN)["protocols"] == ["h1"]
    assert "tls" not in configuration(PLAIN)["apps"]


@pytest.mark.parametrize(("tls", "issuer"), [("auto", "acme"), ("internal", "internal")])
def test_with_tls_the_shops_names_have_certificates(tls: str, issuer: str) -> None:
    apps = configuration(replace(PLAIN, tls=tls, port=443))["apps"]
    assert apps["tls"]["certificates"]["automate"] == ["shop.example"]
    assert apps["tls"]["automation"]["policies"] == [
        {"subjects": ["shop.example"], "issuers": [{"module": issuer}]}
    ]
    assert apps["http"]["https_port"] == 443


def test_a_visitors_own_forwarding_header_is_kept_only_behind_a_proxy_of_ours() -> None:
    assert "trusted_proxies" not in server(PLAIN)
    assert server(replace(PLAIN, proxies=1))["trusted_proxies"]["ranges"] == ["0.0.0.0/0", "::/0"]


def test_a_developers_shop_is_open_on_this_machine_alone() -> None:
    assert server(replace(PLAIN, development=True))["listen"] == ["127.0.0.1:8000"]
    assert server(PLAIN)["listen"] == [":8000"]


def test_a_body_is_buffered_whole_or_refused() -> None:
    """A buffer no larger than the limit would pass the rest on as it comes."""
    assert f'"request_buffers": {limits.BODY_BYTES + 1}' in json.dumps(configuration(PLAIN))
    assert f'"max_size": {limits.BODY_BYTES}' in json.dumps(configuration(PLAIN))


def test_its_log_leaves_out_what_requests_bring_along() -> None:
    fields = configuration(PLAIN)["logging"]["logs"]["default"]["encoder"]["fields"]
    assert fields["request>headers"] == {"filter": "delete"}
    uri = fields["request>uri"]
    cut = re.sub(uri["regexp"], uri["value"].replace("$", "\\"), "/orders/1/?token=secret")
    assert "secret" not in cut
