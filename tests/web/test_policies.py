"""What a page may connect to: its own origin, its websocket there, and no other."""

import pytest

from apps.orders import payloads
from tests.hostile.test_headers import policy

pytestmark = pytest.mark.django_db


def test_page_connects_to_its_own_origin_and_one_websocket(client, settings):
    sources = policy(client.get("/"))["connect-src"]

    # 'self' covers the websocket by the standard; a browser that is older needs it named.
    assert sources == ["'self'", settings.SHOP_URL.replace("http", "ws", 1)]


@pytest.mark.parametrize(
    ("base_url", "expected"),
    [
        ("https://shop.example", "wss://shop.example"),
        ("https://shop.example:8443", "wss://shop.example:8443"),
        ("http://127.0.0.1:8000", "ws://127.0.0.1:8000"),
        ("http://[::1]:8000", "ws://[::1]:8000"),
        ("http://localhost", "ws://localhost"),
    ],
)
def test_websocket_is_on_the_origin_that_the_shop_was_reached_at(settings, base_url, expected):
    settings.LIVE_URL = ""

    assert payloads.live_url(base_url) == expected


def test_websocket_is_elsewhere_where_the_operator_says_so(settings):
    settings.LIVE_URL = "wss://live.shop.example"

    assert payloads.live_url("https://shop.example") == "wss://live.shop.example"
