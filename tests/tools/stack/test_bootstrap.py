"""What a start puts into an empty database."""

from typing import Any

import pytest

from apps.catalog.models import Product
from apps.customers.models import User
from tools.stack import bootstrap

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def without_gateway(settings: Any, tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.STOREFRONT_HOME = tmp_path
    settings.STATIC_ROOT = tmp_path / "static"
    monkeypatch.setattr(bootstrap, "_register_webhook_endpoint", lambda: None)
    monkeypatch.setattr(bootstrap, "_tables_are_current", lambda: True)


def test_demo_shop_has_its_goods(settings: Any) -> None:
    settings.DEVELOPMENT = True

    bootstrap.prepare(seed=True)

    assert Product.objects.exists()


def test_production_begins_empty(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.DEVELOPMENT = False
    collected: list[str] = []
    monkeypatch.setattr(bootstrap, "call_command", lambda command, **_: collected.append(command))

    bootstrap.prepare(seed=True)

    assert collected == ["collectstatic"]
    assert not Product.objects.exists()
    assert not User.objects.exists()
