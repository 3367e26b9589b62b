"""The registry of metrics: apps register their own numbers, names do not change."""

from pathlib import Path

import pytest
from django.apps import apps

from apps.core import (
    metrics,
    metrics_scrape,
    metrics_view,
    server_metrics,
)

# Names are an interface: dashboards and alerts use them.
COUNTERS = {"orders_accepted", "database_deadlocks", "gateway_circuit_opened",
            "gateway_kept_back"}  # fmt: skip
GAUGES = {
    "sagas_open",
    "sagas_open_by_step",
    "sagas_late_seconds",
    "sagas_in_review",
    "webhooks_waiting",
    "webhooks_late_seconds",
    "webhooks_unmirrored",
    "webhooks_unmirrored_seconds",
    "mail_waiting",
    "mail_late_seconds",
    "discrepancies_open",
    "reconciled_open_seconds_ago",
    "reconciled_recent_seconds_ago",
    "reconciled_all_seconds_ago",
    "reconciler_failures",
    "database_connections",
    "bells_waiting",
    "gateway_circuit",
}


def test_every_app_has_registered_its_readings() -> None:
    readings = [*metrics.database_readings(), *metrics.redis_readings()]
    assert {reading.name for reading in readings if reading.rises_only} == COUNTERS
    assert {reading.name for reading in readings if not reading.rises_only} == GAUGES


@pytest.mark.parametrize(
    "module", [metrics, metrics_scrape, metrics_view, server_metrics], ids=lambda m: m.__name__
)
def test_building_block_names_no_table_of_an_app(module) -> None:
    source = Path(module.__file__).read_text()
    tables = [model._meta.db_table for model in apps.get_models()]
    assert [table for table in tables if table in source] == []


def test_name_is_registered_once() -> None:
    before = [*metrics.database_readings(), *metrics.redis_readings()]
    again = metrics.Reading(name="sagas_open", about="another number", sql="SELECT 1")
    with pytest.raises(ValueError, match="sagas_open"):
        metrics.register(again)
    assert [*metrics.database_readings(), *metrics.redis_readings()] == before
