"""What a browser lets Stripe's card form do under the policies that are sent with real keys.

A server on this machine stands in for the shop's page, for Stripe's hosts and for a wallet: the
browser is told to find every name there. Frames of Stripe's load, a wallet's window can tell the
page how it ended, and nothing else comes in.
"""

from __future__ import annotations

import json
import os
import shutil
import ssl
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from tests.waiting import until

pytestmark = [pytest.mark.journey, pytest.mark.browser]

PROJECT = Path(__file__).resolve().parents[2]
READ_POLICIES = """
import json, django
django.setup()
from django.conf import settings
directives = settings.CONTENT_SECURITY_POLICY["DIRECTIVES"]
policy = "; ".join(" ".join([name, *sources]) for name, sources in directives.items())
print(json.dumps([policy, settings.CARD_FORM_OPENER_POLICY]))
"""
PAGE = '<!doctype html><title>Checkout</title><script src="https://js.stripe.com/v3/"></script>'
# In the place of Stripe.js: it opens frames on its hosts, as the real one does, and one elsewhere.
STRIPE_JS = """
    window.blocked = []; window.loaded = []; window.said = "";
    document.addEventListener("securitypolicyviolation", (e) => blocked.push(e.blockedURI));
    addEventListener("message", (e) => { said = e.data; });
    addEventListener("DOMContentLoaded", () => {
      for (const host of ["js.stripe.com", "m-outer-1.js.stripe.com", "hooks.stripe.com", "evil.test"]) {
        const frame = document.createElement("iframe");
        frame.onload = () => loaded.push(host);
        frame.src = `https://${host}/frame`;
        document.body.append(frame);
      }
    });
"""  # noqa: E501
WALLET = '<script>opener && opener.postMessage("paid", "*")</script>'


class StandIn(BaseHTTPRequestHandler):
    policy = opener_policy = ""

    def do_GET(self) -> None:
        host = self.headers["Host"].partition(":")[0]
        kind, body = "text/html", "<p>a frame</p>"
        if host == "shop.test":
            body = PAGE
        elif self.path == "/v3/":
            kind, body = "text/javascript", STRIPE_JS
        elif self.path == "/wallet":
            body = WALLET
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        if host == "shop.test":
            self.send_header("Content-Security-Policy", self.policy)
            self.send_header("Cross-Origin-Opener-Policy", self.opener_policy)
        self.end_headers()
        self.wfile.write(body.encode())

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture(scope="module")
def port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """Of a server with TLS, because the policies name https only."""
    if shutil.which("openssl") is None:
        pytest.skip("openssl is not installed")
    home = tmp_path_factory.mktemp("stand-in")
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2",
         "-subj", "/CN=stand-in", "-keyout", "key.pem", "-out", "certificate.pem"],
        cwd=home, check=True, capture_output=True,
    )  # fmt: skip
    keys = {
        "DEBUG": "1",
        "STOREFRONT_HOME": str(home),
        "DJANGO_SETTINGS_MODULE": "storefront.settings",
        "STRIPE_SECRET_KEY": "sk_test_" + "a" * 32,
        "STRIPE_PUBLIC_KEY": "pk_test_a",
    }
    kept = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    read = subprocess.run(
        [sys.executable, "-c", READ_POLICIES],
        cwd=PROJECT, env=kept | keys, check=True, capture_output=True, text=True,
    )  # fmt: skip
    StandIn.policy, StandIn.opener_policy = json.loads(read.stdout.splitlines()[-1])
    server = ThreadingHTTPServer(("127.0.0.1", 0), StandIn)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(home / "certificate.pem", home / "key.pem")
    server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    yield server.server_address[1]
    server.shutdown()
    server.server_close()


@pytest.fixture
def page(port: int) -> Iterator[Any]:
    """The checkout's page in a browser that finds every name at the stand-in."""
    browser, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if browser is None or driver is None:
        pytest.skip("chromium or chromedriver is not installed")
    from selenium import webdriver

    options = webdriver.ChromeOptions()
    options.binary_location = browser
    for flag in (
        *("--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"),
        *("--disable-background-networking", "--no-first-run", "--disable-popup-blocking"),
        *("--ignore-certificate-errors", f"--host-resolver-rules=MAP * 127.0.0.1:{port}"),
    ):
        options.add_argument(flag)
    window = webdriver.Chrome(options=options, service=webdriver.ChromeService(driver))
    try:
        window.get("https://shop.test/checkout/")
        yield window
    finally:
        window.quit()


def test_frames_of_stripe_load_and_others_do_not(page: Any) -> None:
    until(lambda: page.execute_script("return blocked.length && loaded.length > 2"), "frames load")
    assert page.execute_script("return blocked") == ["https://evil.test"]
    loaded = set(page.execute_script("return loaded")) - {"evil.test"}
    assert loaded == {"js.stripe.com", "m-outer-1.js.stripe.com", "hooks.stripe.com"}


def test_wallets_window_can_tell_the_page_how_it_ended(page: Any) -> None:
    page.execute_script("window.open('https://pay.wallet.test/wallet')")
    until(lambda: page.execute_script("return said") == "paid", "the wallet's window is heard")
