"""What the API's shortcut does beside answering: errors outside of a view, logs, connections."""

import logging
from collections.abc import Iterator
from typing import Any

import pytest
from django.db import OperationalError

from apps.api.catalog import OneProduct
from apps.core import connections
from apps.fastpath import api
from apps.fastpath.api import ApiShortcut
from tests.fastpath.api_cases import call
from tests.fastpath.parity import deployed, got
from tests.fastpath.world import World
from tests.fastpath.wsgi_client import Behind

pytestmark = pytest.mark.usefixtures("open_shop")


@pytest.fixture
def world(open_shop: None, settings: Any) -> Iterator[World]:
    with deployed(settings) as django:
        yield World(django())


@pytest.mark.parametrize(
    ("error", "status"),
    [(OperationalError("away"), "503"), (RuntimeError("a bug"), "500")],
)
def test_error_outside_of_the_view_is_answered_as_django_does_and_happens_once(
    error: Exception, status: str, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    times = []

    def fails(*_: Any, **__: Any) -> None:
        times.append(1)
        raise error

    monkeypatch.setattr(OneProduct, "finalize_response", fails)
    path = f"/products/{world.mug.product.slug}/"
    behind = Behind(world.django)

    lean = got(ApiShortcut(behind), call("GET", path))

    assert (behind.times, len(times)) == (0, 1)
    assert lean == got(world.django, call("GET", path))
    assert lean.status.startswith(status)


def test_refusal_is_logged_as_django_logs_it(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    path = "/products/no-such/"
    with caplog.at_level(logging.INFO, logger="django.request"):
        got(ApiShortcut(Behind(world.django)), call("GET", path))
        lean = [(record.levelname, record.getMessage()) for record in caplog.records]
        caplog.clear()
        got(world.django, call("GET", path))

    assert lean == [(record.levelname, record.getMessage()) for record in caplog.records]
    assert lean


def test_connection_that_the_server_has_closed_is_noticed_before_the_call(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked = []
    monkeypatch.setattr(
        api, "drop_dead_connections", lambda: looked.append(connections.drop_dead_connections())
    )

    got(ApiShortcut(Behind(world.django)), call("GET", "/categories/"))

    assert looked
