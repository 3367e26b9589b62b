"""What shoppers type into the demo's search."""

from io import StringIO

import pytest
from django.core.management import call_command

from apps.catalog import browse


@pytest.fixture
def seeded(db: None) -> None:
    call_command("seed_demo", stdout=StringIO())


def test_demo_is_searched_as_a_shopper_would(seeded: None) -> None:
    def names(typed: str) -> list[str]:
        return [product.name for product in browse.products(search=typed)]

    kettles = names("kettle")
    assert {"First Light Gooseneck", "Reveille Whistling Kettle"} <= set(kettles[:3])
    assert len(kettles) < 20, "the shop's own name is on everything"
    assert not any("Agave" in name for name in kettles[:5])
    for typed in ("cofee", "gift", "red kettle", "present"):
        assert names(typed), typed
    assert browse.found(search="cofee").shown_for == "coffee"
    assert names("kettel") == kettles
