"""The settings: from the environment, loud when wrong, and no default in production."""

import importlib
import os
import sys
from datetime import timedelta
from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured

import storefront

SETTINGS = "storefront.settings"
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
            # Import every module of the package again, and leave the loaded ones as they are.
            patch.setattr(storefront, "settings", None, raising=False)
            for name in list(sys.modules):
                if name == SETTINGS or name.startswith(f"{SETTINGS}."):
                    patch.delitem(sys.modules, name)
            return dict(vars(importlib.import_module(SETTINGS)))

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
    ("changed", "source"),
    [
        ({}, "wss://shop.example"),
        ({"SHOP_URL": "https://shop.example:8443/"}, "wss://shop.example:8443"),
        ({"LIVE_URL": "wss://live.shop.example"}, "wss://live.shop.example"),
        # A path in a source would forbid every other path.
        ({"LIVE_URL": "wss://live.shop.example:444/sockets"}, "wss://live.shop.example:444"),
    ],
)
def test_browsers_may_open_a_websocket_to_one_host(settings_of, changed, source):
    found = settings_of(**PRODUCTION | {"SHOP_URL": "https://shop.example"} | changed)

    connect = found["CONTENT_SECURITY_POLICY"]["DIRECTIVES"]["connect-src"]
    assert [each for each in connect if each.startswith("ws")] == [source]
    assert not [each for each in connect if "*" in each]
    assert connect[0] == "'self'"


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
        ("CARTS_REDIS_URL", "localhost:6379"),
        ("CACHE_REDIS_URL", "memcached://localhost"),
        ("RATE_LIMITS_REDIS_URL", "http://localhost"),
        ("METRICS_ALLOW", "everybody"),
        ("METRICS_ALLOW", "10.0.0.1/8"),
        ("METRICS_ALLOW", "10.0.0.0/8 192.168.0.0/16"),
        ("INVENTORY_STRATEGY", "hopeful"),
        ("RATE_LIMITS", "sometimes"),
        ("STRIPE_SECRET_KEY", "sk_test_short"),
        ("STRIPE_SECRET_KEY", "pk_test_" + "a" * 32),
        ("STRIPE_API_HOST", "api.stripe.com"),
        ("STRIPE_PUBLIC_KEY", "sk_test_" + "a" * 32),
        ("STRIPE_PROXY", "proxy.example:3128"),
        ("STRIPE_REQUESTS_PER_SECOND", "many"),
        ("STRIPE_ENDPOINT_REQUESTS_PER_SECOND", "-1"),
        ("SHOP_URL", "shop.example"),
        ("TRUSTED_PROXIES", "all"),
        ("PAYMENT_RETRY_TIME", "ten minutes"),
        ("PAYMENT_RETRY_TIME", "-1"),
        ("PAYMENT_RETRY_TIME", "1.5"),
        ("PAYMENT_RETRY_TIME", "٣"),
        ("PAYMENT_RETRY_TIME", "86401"),
    ],
)
def test_malformed_value_stops_the_start_and_names_itself(settings_of, name, value):
    with pytest.raises(ImproperlyConfigured) as refused:
        settings_of(**{"DEBUG": "1", name: value})

    assert str(refused.value).startswith(f"{name}: ")
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("secret", "public"),
    [("sk_live_", "pk_test_"), ("rk_live_", "pk_test_"), ("sk_test_", "pk_live_")],
)
@pytest.mark.parametrize("base", [PRODUCTION, {"DEBUG": "1"}], ids=["production", "development"])
def test_keys_of_two_modes_stop_the_start(settings_of, base, secret, public):
    keys = {"STRIPE_SECRET_KEY": secret + "a" * 32, "STRIPE_PUBLIC_KEY": public + "a" * 32}
    with pytest.raises(ImproperlyConfigured, match=r"^STRIPE_PUBLIC_KEY: .*other mode") as refused:
        settings_of(**base | keys)
    assert "aaaa" not in str(refused.value)


def test_restricted_keys_are_taken_in_their_mode(settings_of):
    found = settings_of(**PRODUCTION | {"STRIPE_SECRET_KEY": "rk_live_" + "a" * 32})
    assert found["STRIPE_LIVE_MODE"] is True
    assert found["STRIPE_LIVE_SECRET_KEY"].startswith("rk_live_")


@pytest.mark.parametrize(
    ("keys", "limits"),
    [
        ({}, (100, 25)),
        ({"STRIPE_SECRET_KEY": "sk_test_" + "a" * 32, "STRIPE_PUBLIC_KEY": "pk_test_a"}, (25, 25)),
        ({"STRIPE_REQUESTS_PER_SECOND": "500"}, (500, 25)),
    ],
)
def test_stripes_limits_are_those_of_the_mode_unless_raised(settings_of, keys, limits):
    found = settings_of(**PRODUCTION | keys)
    assert (
        found["STRIPE_REQUESTS_PER_SECOND"],
        found["STRIPE_ENDPOINT_REQUESTS_PER_SECOND"],
    ) == limits


def test_sandbox_has_no_limits_and_no_card_form(settings_of):
    found = settings_of(DEBUG="1")
    assert found["STRIPE_REQUESTS_PER_SECOND"] == 0
    assert found["STRIPE_ENDPOINT_REQUESTS_PER_SECOND"] == 0
    assert found["CARD_FORM_OPENER_POLICY"] == "same-origin"
    assert found["CONTENT_SECURITY_POLICY"]["DIRECTIVES"]["frame-src"] == ["'none'"]


def test_card_form_may_load_what_stripe_lists_and_no_more(settings_of):
    """https://docs.stripe.com/security/guide#content-security-policy, less Google's maps."""
    directives = settings_of(**PRODUCTION)["CONTENT_SECURITY_POLICY"]["DIRECTIVES"]
    scripts = ["https://js.stripe.com", "https://*.js.stripe.com"]
    assert directives["script-src"] == ["'self'", *scripts]
    assert directives["frame-src"] == [*scripts, "https://hooks.stripe.com"]
    elsewhere = [each for each in directives["connect-src"] if each.startswith("https://")]
    assert elsewhere == ["https://api.stripe.com"]


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


def places(found: dict[str, Any]) -> dict[str, str]:
    return {
        "broker": found["CELERY_BROKER_URL"],
        "cache": found["CACHES"]["default"]["LOCATION"],
        "channels": found["CHANNEL_LAYERS"]["default"]["CONFIG"]["hosts"][0]["address"],
        "carts": found["CARTS_REDIS_URL"],
        "limits": found["RATE_LIMITS_REDIS_URL"],
        "sales": found["FLASH_SALES_REDIS_URL"],
    }


def test_embedded_carts_cache_and_limits_have_servers_of_their_own(settings_of):
    found = {name: url.partition("?")[0] for name, url in places(settings_of(DEBUG="1")).items()}
    sockets = {name: url.rpartition("/")[2] for name, url in found.items()}

    assert sockets == {
        "broker": "redis.sock",
        "channels": "redis.sock",
        "sales": "redis.sock",
        "carts": "redis-carts.sock",
        "cache": "redis-cache.sock",
        "limits": "redis-limits.sock",
    }


def test_one_redis_of_ones_own_serves_all_purposes(settings_of):
    found = places(settings_of(DEBUG="1", REDIS_URL="redis://redis.example:6379"))

    assert found == {
        "broker": "redis://redis.example:6379/0",
        "cache": "redis://redis.example:6379/1",
        "channels": "redis://redis.example:6379/2",
        "carts": "redis://redis.example:6379/3",
        "limits": "redis://redis.example:6379/4",
        "sales": "redis://redis.example:6379/5",
    }


def test_each_purpose_may_have_a_redis_of_its_own(settings_of):
    own = {
        "CARTS_REDIS_URL": "redis://carts.example/7",
        "CACHE_REDIS_URL": "unix:///run/cache.sock",
        "RATE_LIMITS_REDIS_URL": "rediss://limits.example",
    }
    found = places(settings_of(DEBUG="1", REDIS_URL="redis://redis.example", **own))

    assert [found[name] for name in ("carts", "cache", "limits")] == list(own.values())
    assert found["broker"] == "redis://redis.example/0"


def test_mail_in_files_is_written_by_the_backend_that_keeps_it_private(settings_of):
    for url in ("", "filemail:///srv/outgoing"):
        found = settings_of(DEBUG="1", EMAIL_URL=url)
        assert found["EMAIL_BACKEND"] == "apps.core.mail_files.PrivateFiles"
    assert found["EMAIL_FILE_PATH"].endswith("srv/outgoing")
    sent = settings_of(DEBUG="1", EMAIL_URL="smtp://mail.example:25")
    assert sent["EMAIL_BACKEND"] == "django.core.mail.backends.smtp.EmailBackend"


def test_only_this_machine_reads_metrics_unless_another_is_named(settings_of):
    assert settings_of(DEBUG="1")["METRICS_ALLOW"] == []
    found = settings_of(DEBUG="1", METRICS_ALLOW="10.0.0.0/8, 2001:db8::1")["METRICS_ALLOW"]
    assert [str(network) for network in found] == ["10.0.0.0/8", "2001:db8::1/128"]


def test_replica_serves_the_catalog_only(settings_of):
    found = settings_of(DEBUG="1", DATABASE_REPLICA_URL="postgresql://shop@replica.example/shop")

    assert found["CATALOG_DATABASE"] == "replica"
    assert found["DATABASES"]["replica"]["TEST"] == {"MIRROR": "default"}
    assert settings_of(DEBUG="1")["CATALOG_DATABASE"] == "default"


def test_pages_may_load_nothing_from_elsewhere(settings_of):
    policy = settings_of(DEBUG="1")["CONTENT_SECURITY_POLICY"]["DIRECTIVES"]

    assert policy["default-src"] == policy["script-src"] == policy["style-src"] == ["'self'"]
    assert policy["object-src"] == policy["frame-src"] == policy["frame-ancestors"] == ["'none'"]
    with_stripe = settings_of(**PRODUCTION)["CONTENT_SECURITY_POLICY"]["DIRECTIVES"]
    assert with_stripe["script-src"][0] == "'self'"
    assert all(each.endswith(".stripe.com") for each in with_stripe["script-src"][1:])


def test_production_asks_its_staff_for_two_factors_and_a_demo_does_not(settings_of):
    assert settings_of(**PRODUCTION)["STAFF_SECOND_FACTOR"] is True
    assert settings_of(**PRODUCTION, STAFF_SECOND_FACTOR="off")["STAFF_SECOND_FACTOR"] is False
    assert settings_of(DEBUG="1")["STAFF_SECOND_FACTOR"] is False
    assert settings_of(DEBUG="1", STAFF_SECOND_FACTOR="on")["STAFF_SECOND_FACTOR"] is True


@pytest.mark.parametrize(("text", "seconds"), [("", 600), ("0", 0), ("90", 90), ("86400", 86400)])
def test_time_to_pay_again_is_in_seconds(settings_of, text, seconds):
    found = settings_of(**PRODUCTION, PAYMENT_RETRY_TIME=text)

    assert found["PAYMENT_RETRY_TIME"] == timedelta(seconds=seconds)


def test_staffs_sessions_are_short(settings_of):
    found = settings_of(**PRODUCTION, STAFF_IDLE_MINUTES="5")

    assert found["STAFF_IDLE_TIME"] == timedelta(minutes=5)
    assert found["STAFF_SESSION_TIME"] == timedelta(hours=8)
    assert found["STAFF_FRESH_TIME"] == timedelta(minutes=10)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("STAFF_SECOND_FACTOR", "maybe"),
        ("STAFF_IDLE_MINUTES", "0"),
        ("STAFF_SESSION_HOURS", "-8"),
        ("STAFF_FRESH_MINUTES", "1.5"),
    ],
)
def test_malformed_limit_of_staff_stops_the_start_with_one_line(settings_of, name, value):
    with pytest.raises(ImproperlyConfigured, match=f"^{name}: expected [^\n]+$"):
        settings_of(**PRODUCTION, **{name: value})
