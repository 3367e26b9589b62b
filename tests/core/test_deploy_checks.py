"""Before a deployment the servers are asked what they write down and what they forget."""

import pytest
from django.core.checks import registry
from django.db import connection

from apps.core import deploy_checks
from apps.core.deploy_checks import (
    check_postgresql_log,
    check_redis_memory,
    postgresql_findings,
    redis_findings,
)
from apps.core.postgres_log import QUIET_LOG
from tools import embedded

ALL = ["redis", "redis-carts", "redis-cache", "redis-limits"]


def ids(messages):
    return [message.id for message in messages]


@pytest.mark.django_db
def test_embedded_servers_pass():
    assert check_postgresql_log() == []
    assert check_redis_memory() == []


def test_both_are_asked_before_a_deployment_and_at_no_other_time():
    asked = registry.registry.deployment_checks
    assert {check_postgresql_log, check_redis_memory} <= asked
    assert not {check_postgresql_log, check_redis_memory} & registry.registry.registered_checks


@pytest.mark.parametrize(
    ("name", "setting"),
    [
        ("log_min_error_statement", "error"),
        ("log_error_verbosity", "default"),
        ("log_statement", "mod"),
        ("log_min_duration_statement", "500"),
        ("log_parameter_max_length_on_error", "-1"),
        ("log_transaction_sample_rate", "0.01"),
    ],
)
def test_postgresql_that_logs_statements_is_named_with_the_setting(name, setting):
    (warning,) = postgresql_findings(QUIET_LOG | {name: setting})

    assert warning.id == "storefront.W001"
    assert f"{name} = {QUIET_LOG[name]} (is {setting})" in warning.hint


@pytest.mark.django_db
def test_postgresqls_own_defaults_are_warned_of(monkeypatch):
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT name, boot_val FROM pg_settings WHERE name = ANY(%s)", [list(QUIET_LOG)]
        )
        defaults = dict(cursor.fetchall())

    (warning,) = postgresql_findings(defaults)

    assert defaults.keys() == QUIET_LOG.keys()
    assert "log_min_error_statement" in warning.hint


def test_data_definition_may_be_logged():
    assert postgresql_findings(QUIET_LOG | {"log_statement": "ddl"}) == []


@pytest.mark.parametrize(
    ("names", "policy", "warned"),
    [
        (ALL, "noeviction", ["storefront.W002"]),
        (ALL, "allkeys-lru", ["storefront.W004"]),
        (ALL, "volatile-ttl", ["storefront.W004"]),
        (["redis"], "noeviction", []),
        (["redis-carts"], "noeviction", []),
        (["redis", "redis-carts"], "noeviction", ["storefront.W002"]),
        (["redis-carts"], "allkeys-lru", ["storefront.W004"]),
        (["redis-cache"], "allkeys-lru", []),
        (["redis-limits"], "volatile-ttl", []),
        (["redis-cache", "redis-limits"], "allkeys-lru", []),
        (["redis-cache"], "noeviction", ["storefront.W003"]),
        (ALL, "", []),
    ],
)
def test_what_a_full_redis_costs_is_said(names, policy, warned):
    assert ids(redis_findings(names, policy)) == warned


def test_one_redis_for_all_is_found_whichever_databases_the_addresses_name(settings):
    url = embedded.redis_url(settings.STOREFRONT_HOME)
    settings.REDIS_URL = url
    settings.CARTS_REDIS_URL = f"{url}?db=3"
    settings.RATE_LIMITS_REDIS_URL = f"{url}?db=4"
    settings.CACHES = {"default": settings.CACHES["default"] | {"LOCATION": f"{url}?db=1"}}

    (warning,) = check_redis_memory()

    assert warning.id == "storefront.W002"
    for purpose in ("the broker's tasks", "guests' carts", "the cache", "rate limits"):
        assert purpose in warning.msg


def test_servers_that_are_not_there_are_not_judged(settings, monkeypatch, tmp_path):
    nowhere = f"unix://{tmp_path}/nobody.sock"
    settings.REDIS_URL = settings.CARTS_REDIS_URL = settings.RATE_LIMITS_REDIS_URL = nowhere
    settings.CACHES = {"default": settings.CACHES["default"] | {"LOCATION": nowhere}}
    monkeypatch.setitem(connection.settings_dict, "NAME", "no_such_database")

    assert deploy_checks.check_postgresql_log() == []
    assert deploy_checks.check_redis_memory() == []


# --- TLS ----------------------------------------------------------------------------------------


@pytest.fixture
def https_shop(settings):
    settings.DEVELOPMENT = False
    settings.SHOP_URL = "https://shop.example"
    settings.EDGE_TLS, settings.PROXIES_BEFORE_EDGE = "off", 0
    return settings


def test_an_https_shop_that_speaks_plain_http_is_warned_of(https_shop) -> None:
    [warning] = deploy_checks.check_tls_is_terminated()
    assert warning.id == "storefront.W005"


def test_the_edge_may_speak_it_or_a_proxy_in_front(https_shop) -> None:
    https_shop.EDGE_TLS = "auto"
    assert deploy_checks.check_tls_is_terminated() == []
    https_shop.EDGE_TLS, https_shop.PROXIES_BEFORE_EDGE = "off", 1
    assert deploy_checks.check_tls_is_terminated() == []
