"""Fixtures of the catalog's tests."""

import pytest

from apps.catalog import pictures


@pytest.fixture
def no_network(monkeypatch):
    """No test leaves this machine; pictures that are not there get the placeholder."""

    def fetch_all(urls, *, progress=None):
        return {url: pictures.Fetched(pictures.PLACEHOLDER, "no network") for url in urls}

    monkeypatch.setattr(pictures, "fetch_all", fetch_all)
