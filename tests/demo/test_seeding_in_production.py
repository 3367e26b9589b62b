"""seed_demo on a machine that is none of a developer's."""

from io import StringIO

from django.core.management import call_command

from apps.customers.models import User


def test_production_gets_no_public_passwords(db: None, settings) -> None:
    settings.DEVELOPMENT = False
    output = StringIO()

    call_command("seed_demo", stdout=output)

    assert not User.objects.exists()
    assert "no demo logins" in output.getvalue()
