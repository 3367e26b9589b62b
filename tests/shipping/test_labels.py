"""What a carrier prints on a label."""

from uuid import uuid4

from apps.shipping.carriers import LabelRequest
from tests.factories import ADDRESS


def test_label_has_the_address_in_the_order_of_its_country() -> None:
    berlin = ADDRESS | {"city": "Berlin", "postal_code": "10115", "region": "", "country": "DE"}

    label = LabelRequest(uuid4(), "KP-1", "standard", 2, 5, berlin)

    assert label.address_lines == ["Alice Archer", "12 Pine Street", "10115 Berlin", "Germany"]
