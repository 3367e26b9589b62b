"""The back office reads regions and addresses as the shop does."""

import pytest
from django.test import Client
from django.urls import reverse

from apps.customers.models import Address
from apps.taxes.models import TaxRate
from tests.backoffice.conftest import errors, save
from tests.factories import AddressFactory

pytestmark = pytest.mark.django_db


def test_rate_of_a_region_that_no_address_can_have_is_refused(staff: Client) -> None:
    typed = {"country": "US", "region": "Californa", "name": "Sales tax", "rate_bp": "7.25"}

    answer = staff.post(reverse("admin:taxes_taxrate_add"), typed)

    assert errors(answer) == {"region": ["There is no such state or province."]}
    assert not TaxRate.objects.exists()


def test_entry_of_an_address_book_is_kept_in_its_normal_form(staff: Client) -> None:
    address = AddressFactory()
    page = reverse("admin:customers_user_change", args=[address.user_id])

    save(
        staff,
        page,
        **{
            "addresses-0-region": "State of Oregon",
            "addresses-0-phone": "\u202a503–555–0100\u202c",
        },
    )

    address.refresh_from_db()
    assert (address.region, address.phone) == ("OR", "+15035550100")


def test_postal_code_of_another_state_is_told_beside_its_field(staff: Client) -> None:
    address = AddressFactory()
    page = reverse("admin:customers_user_change", args=[address.user_id])

    answer = save(staff, page, **{"addresses-0-postal_code": "94105"})

    (field,) = errors(answer)
    assert field == "addresses-0-postal_code"
    assert Address.objects.get().postal_code == address.postal_code
