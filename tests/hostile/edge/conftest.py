"""A shop whose edge speaks TLS, beside the shop of the other journeys."""

import shutil
from collections.abc import Iterator

import pytest
from django.conf import settings

from tools import embedded
from tools.stack import Stack


@pytest.fixture(scope="module")
def tls_stack(library_tables: str) -> Iterator[Stack]:
    """Edge and web only; its certificate is of an authority of its own. One module uses it."""
    home = settings.STOREFRONT_HOME / "tls"
    embedded.drop_database(settings.STOREFRONT_HOME, "tls")
    embedded.ensure_database(settings.STOREFRONT_HOME, "tls", template=library_tables)
    embedded.stop(home)  # of a run that was killed
    shutil.rmtree(home, ignore_errors=True)
    stack = Stack(
        home=home,
        env={
            "DATABASE_URL": embedded.database_url(settings.STOREFRONT_HOME, "tls"),
            "EDGE_TLS": "internal",
            "SHOP_URL": "https://localhost",
            "WEB_WORKERS": "2",
        },
        processes=["sandbox", "web", "edge"],
        seed=False,
    )
    with stack:
        yield stack
