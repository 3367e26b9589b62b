"""What production sends to browsers: policies, cookies, nothing over plain http.

Asked of a process with a production machine's environment, since DEBUG changes half of it.
"""

import json
import os
import subprocess
import sys

import pytest
from django.conf import settings
from django.db import connection
from django.test import Client

from tools import embedded

ASK = """
import json, sys
import django
django.setup()
from django.core.management import call_command
from django.test import Client, override_settings

PAGES = ["/", "/account/login/", "/cart/", "/nowhere/", "/admin/login/?next=/admin/", "/api/docs/",
         "/api/v1/products/", "/api/schema/", "/healthz", "/media/none.png", "/checkout/"]
plain = {"default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
         "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}}
with override_settings(STORAGES=plain):
    call_command("check", deploy=True, fail_level="WARNING")
    client = Client(headers={"host": "shop.example"}, raise_request_exception=False)
    found = {"plain http": client.get("/account/login/").headers["Location"]}
    for path in PAGES:
        answer = client.get(path, secure=True)
        found[path.partition("?")[0]] = {"status": answer.status_code, **answer.headers}
    form = {"email": "carol@example.com", "password": "three-slow-kettles"}
    entered = client.post("/account/register/", form, secure=True)
    found["entered"] = entered.status_code
    client.get("/account/login/", secure=True)
    found["cookies"] = {name: dict(morsel) for name, morsel in client.cookies.items()}
print(json.dumps(found))
"""


@pytest.fixture(scope="module")
def answers(django_db_setup, django_db_blocker, tmp_path_factory):
    """The answer of each page of a shop in production, and its cookies."""
    home = tmp_path_factory.mktemp("production")
    (home / "static").mkdir()
    with django_db_blocker.unblock():
        database = connection.settings_dict["NAME"]
    production = {
        "STOREFRONT_HOME": str(home),
        "DJANGO_SETTINGS_MODULE": "storefront.settings",
        "SECRET_KEY": "".join(chr(33 + (7 * n) % 90) for n in range(70)),
        "SECRET_KEY_FALLBACKS": "".join(chr(97 + (5 * n) % 26) for n in range(60)),
        "ALLOWED_HOSTS": "shop.example",
        "SHOP_URL": "https://shop.example",
        "EDGE_TLS": "auto",
        "DATABASE_URL": embedded.database_url(settings.STOREFRONT_HOME, database),
        "REDIS_URL": embedded.redis_url(settings.STOREFRONT_HOME),
        "CARTS_REDIS_URL": embedded.redis_url(settings.STOREFRONT_HOME, embedded.REDIS_CARTS),
        "CACHE_REDIS_URL": embedded.redis_url(settings.STOREFRONT_HOME, embedded.REDIS_CACHE),
        "RATE_LIMITS_REDIS_URL": embedded.redis_url(
            settings.STOREFRONT_HOME, embedded.REDIS_LIMITS
        ),
        "STRIPE_SECRET_KEY": "sk_test_" + "a" * 32,
        "STRIPE_PUBLIC_KEY": "pk_test_aaaaaaaa",
    }
    kept = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    asked = subprocess.run(
        [sys.executable, "-c", ASK], env=kept | production, cwd=embedded.PROJECT,
        capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert asked.returncode == 0, asked.stderr[-3000:]
    with django_db_blocker.unblock():
        from apps.customers.models import User

        User.objects.filter(email="carol@example.com").delete()
    return json.loads(asked.stdout.splitlines()[-1])


CARD_FORM = "/checkout/"
SHOPS = ["/", "/account/login/", "/cart/", CARD_FORM, "/nowhere/"]
PAGES = [*SHOPS, "/admin/login/", "/api/docs/"]
NO_PAGES = ["/api/v1/products/", "/api/schema/", "/healthz", "/media/none.png"]


def policy(answer):
    """The answer's Content-Security-Policy as a mapping."""
    parts = [part.split() for part in answer["Content-Security-Policy"].split(";") if part.strip()]
    return {name: sources for name, *sources in parts}


@pytest.mark.parametrize("path", [*PAGES, *NO_PAGES])
def test_every_answer_has_the_security_headers(answers, path):
    answer = answers[path]

    assert answer["status"] in (200, 302, 404), answer
    assert answer["X-Content-Type-Options"] == "nosniff"
    assert answer["Referrer-Policy"] == "same-origin"
    assert answer["X-Frame-Options"] == "DENY"
    assert answer["Strict-Transport-Security"] == "max-age=31536000; includeSubDomains; preload"
    assert policy(answer)["frame-ancestors"] == ["'none'"]
    if path == CARD_FORM:  # a wallet's window has to tell the page how it ended
        assert answer["Cross-Origin-Opener-Policy"] == "same-origin-allow-popups"
    elif path != "/api/docs/":
        assert answer["Cross-Origin-Opener-Policy"] == "same-origin"
    assert "Server" not in answer
    assert "X-Powered-By" not in answer


@pytest.mark.parametrize("path", PAGES)
def test_no_page_runs_an_inline_script_or_one_from_elsewhere(answers, path):
    found = policy(answers[path])

    assert found["default-src"] == ["'self'"]
    assert found["object-src"] == found["base-uri"] == ["'none'"]
    assert found["form-action"] == ["'self'"]
    allowed = {"'self'"}
    if path in SHOPS:
        allowed |= {"https://js.stripe.com", "https://*.js.stripe.com"}
    elif path.startswith("/admin/"):
        allowed |= {"'unsafe-eval'"}  # Alpine needs it: docs/adr/0022-policies-of-pages.md
    assert set(found["script-src"]) == allowed
    assert "camera=()" in answers[path]["Permissions-Policy"]


@pytest.mark.parametrize("path", SHOPS)
def test_no_page_of_the_shop_has_a_style_from_elsewhere(answers, path):
    assert policy(answers[path])["style-src"] == ["'self'"]


def test_stripes_origins_are_there_only_with_stripe(answers, client, db):
    """Tests run with the sandbox, which has no origin of its own."""
    assert "https://hooks.stripe.com" in policy(answers["/"])["frame-src"]
    assert 'payment=(self "https://js.stripe.com")' in answers["/"]["Permissions-Policy"]
    here = client.get("/")
    assert "stripe" not in here["Content-Security-Policy"]
    assert "stripe" not in here["Permissions-Policy"]


@pytest.mark.parametrize("path", NO_PAGES)
def test_answers_that_are_not_pages_load_nothing(answers, path):
    assert policy(answers[path]) == {"default-src": ["'none'"], "frame-ancestors": ["'none'"]}


def test_cookies_belong_to_this_host_alone(answers):
    assert answers["entered"] == 302, answers["entered"]
    assert set(answers["cookies"]) >= {"__Host-session", "__Host-csrf"}
    for name, cookie in answers["cookies"].items():
        assert cookie["secure"] is True, name
        assert cookie["httponly"] is True, name
        assert cookie["samesite"] == "Lax", name
        assert (cookie["path"], cookie["domain"]) == ("/", ""), name


def test_plain_http_leads_to_https(answers):
    assert answers["plain http"] == "https://shop.example/account/login/"


def test_answers_with_personal_data_stay_out_of_caches(visitor, alice):
    visitor.force_login(alice)

    for path in ("/account/", "/account/addresses/", "/cart/", "/account/login/", "/admin/login/"):
        answer = visitor.get(path)
        assert "no-store" in answer["Cache-Control"], path


def test_error_page_shows_no_traceback(db, monkeypatch):
    def fail(*_: object, **__: object) -> None:
        raise RuntimeError("sk_test_" + "a" * 32)

    monkeypatch.setattr("apps.web.views.catalog.browse.products", fail)

    broken = Client(raise_request_exception=False).get("/search/?q=mug")

    assert broken.status_code == 500
    assert b"Traceback" not in broken.content
    assert b"sk_test" not in broken.content
    assert broken["Content-Security-Policy"]
