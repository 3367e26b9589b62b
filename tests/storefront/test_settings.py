"""The settings: from the environment, loud when wrong, and no default in production."""

import os
import runpy
from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured

from storefront import embedded

SETTINGS = str(embedded.PROJECT / "storefront" / "settings.py")
KEEP = ("PATH", "HOME", "STOREFRONT_HOME")
PRODUCTION = {
    "SECRET_KEY": "p" * 60,
    "ALLOWED_HOSTS": "shop.example",
    "SHOP_URL": "https://shop.example",
    "DATABASE_URL": "postgresql://shop@db.example/shop",
    "REDIS_URL": "redis://redis.example",
    "STRIPE_SECRET_KEY": "sk_live_" + "a" * 32,
    "STRIPE_PUBLIC_KEY": "pk_live_aaaaaaaa",
}


@pytest.fixture
def settings_of(monkeypatch):
    """The settings as they are read in an environment of these variables and no others."""

    def read(**variables: str) -> dict[str, Any]:
        kept = {name: os.environ[name] for name in KEEP if name in os.environ}
        with monkeypatch.context() as patch:
            for name in list(os.environ):
                patch.delenv(name)
            for name, text in (kept | variables).items():
                patch.setenv(name, text)
            return runpy.run_path(SETTINGS)

    return read


def test_developers_machine_needs_nothing(settings_of):
    found = settings_of(DEBUG="1")

    assert found["USES_SANDBOX"] is True
    assert found["STRIPE_API_HOST"] == "http://127.0.0.1:8002"
    assert found["DEBUG"] is False, "no traceback for shoppers, not even in the demo"
    assert found["INVENTORY_STRATEGY"] == "conditional"
    assert (found["PORT"], found["LIVE_PORT"], found["SANDBOX_PORT"]) == (8000, 8001, 8002)
    assert found["SANDBOX_LATENCY_MS"] == 350
    assert found["SHOP_URL"] == "http://127.0.0.1:8000"


def test_production_starts_with_all_it_needs(settings_of):
    found = settings_of(**PRODUCTION)

    assert found["USES_SANDBOX"] is False
    assert "STRIPE_API_HOST" not in found, "dj-stripe takes its presence as an order"
    assert found["STRIPE_LIVE_MODE"] is True
    assert found["SESSION_COOKIE_SECURE"] is found["CSRF_COOKIE_SECURE"] is True
    assert found["SECURE_SSL_REDIRECT"] is True
    assert found["DATABASES"]["default"]["HOST"] == "db.example"


@pytest.mark.parametrize(
    ("changed", "named"),
    [
        ({"SECRET_KEY": ""}, "SECRET_KEY"),
        ({"SECRET_KEY": "short"}, "SECRET_KEY"),
        ({"ALLOWED_HOSTS": ""}, "ALLOWED_HOSTS"),
        ({"ALLOWED_HOSTS": "shop.example,*"}, "ALLOWED_HOSTS"),
        ({"STRIPE_SECRET_KEY": ""}, "STRIPE_SECRET_KEY"),
        ({"STRIPE_PUBLIC_KEY": ""}, "STRIPE_PUBLIC_KEY"),
        ({"STRIPE_PUBLIC_KEY": "sk_live_" + "a" * 32}, "STRIPE_PUBLIC_KEY"),
        ({"STRIPE_API_HOST": "http://127.0.0.1:8002"}, "STRIPE_API_HOST"),
        ({"STRIPE_API_HOST": "http://localhost:8002"}, "STRIPE_API_HOST"),
    ],
)
def test_production_refuses_to_start_on_a_default(settings_of, changed, named):
    with pytest.raises(ImproperlyConfigured) as refused:
        settings_of(**PRODUCTION | changed)

    assert str(refused.value).startswith(f"{named}: ")
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("DEBUG", "maybe"),
        ("PORT", "eighty"),
        ("PORT", "0"),
        ("PORT", "65536"),
        ("PORT", "-1"),
        ("LIVE_PORT", "8001.5"),
        ("SANDBOX_PORT", "8002 "),
        ("SANDBOX_LATENCY_MS", "-5"),
        ("DATABASE_URL", "mysql://localhost/shop"),
        ("DATABASE_URL", "localhost"),
        ("DATABASE_REPLICA_URL", "sqlite:///shop"),
        ("REDIS_URL", "http://localhost"),
        ("INVENTORY_STRATEGY", "hopeful"),
        ("RATE_LIMITS", "sometimes"),
        ("STRIPE_SECRET_KEY", "sk_test_short"),
        ("STRIPE_SECRET_KEY", "pk_test_" + "a" * 32),
        ("STRIPE_API_HOST", "api.stripe.com"),
        ("SHOP_URL", "shop.example"),
        ("TRUSTED_PROXIES", "all"),
    ],
)
def test_malformed_value_stops_the_start_and_names_itself(settings_of, name, value):
    with pytest.raises(ImproperlyConfigured) as refused:
        settings_of(**{"DEBUG": "1", name: value})

    assert str(refused.value).startswith(f"{name}: ")
    assert "\n" not in str(refused.value)


def test_secret_that_is_malformed_is_not_repeated(settings_of):
    """The line goes into logs and terminals."""
    secret = "pk_live_" + "s3cr3t" * 6

    with pytest.raises(ImproperlyConfigured) as refused:
        settings_of(DEBUG="1", STRIPE_SECRET_KEY=secret)

    assert "s3cr3t" not in str(refused.value)


@pytest.mark.parametrize("value", ["1", "on", "true", "YES", " On "])
def test_switch_is_on_in_every_usual_spelling(settings_of, value):
    assert settings_of(DEBUG=value)["DEVELOPMENT"] is True


def test_empty_variable_is_an_unset_one(settings_of):
    assert settings_of(DEBUG="1", PORT="", REDIS_URL="", INVENTORY_STRATEGY="")["PORT"] == 8000


def test_redis_databases_do_not_share(settings_of):
    for url in ("redis://redis.example:6379/7", "unix:///tmp/redis.sock"):
        found = settings_of(DEBUG="1", REDIS_URL=url)
        places = [
            found["CELERY_BROKER_URL"],
            found["CACHES"]["default"]["LOCATION"],
            found["CHANNEL_LAYERS"]["default"]["CONFIG"]["hosts"][0]["address"],
            found["CARTS_REDIS_URL"],
            found["RATE_LIMITS_REDIS_URL"],
        ]
        assert len(set(places)) == 5


def test_replica_serves_the_catalogue_only(settings_of):
    found = settings_of(DEBUG="1", DATABASE_REPLICA_URL="postgresql://shop@replica.example/shop")

    assert found["CATALOGUE_DATABASE"] == "replica"
    assert found["DATABASES"]["replica"]["TEST"] == {"MIRROR": "default"}
    assert settings_of(DEBUG="1")["CATALOGUE_DATABASE"] == "default"


def test_pages_may_load_nothing_from_elsewhere(settings_of):
    policy = settings_of(DEBUG="1")["CONTENT_SECURITY_POLICY"]["DIRECTIVES"]

    assert policy["default-src"] == policy["script-src"] == policy["style-src"] == ["'self'"]
    assert policy["object-src"] == policy["frame-src"] == policy["frame-ancestors"] == ["'none'"]
    with_stripe = settings_of(**PRODUCTION)["CONTENT_SECURITY_POLICY"]["DIRECTIVES"]
    assert with_stripe["script-src"] == ["'self'", "https://js.stripe.com"]
