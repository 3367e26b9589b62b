"""Controls written without Django's widget templates are what Django would write."""

import pytest
from django import forms

from apps.web.form_controls import control
from apps.web.forms import AddressForm, CheckoutForm, LoginForm, RegisterForm

HOSTILE = "\"><script>alert(1)</script>&amp;'"


@pytest.mark.parametrize(
    "form",
    [
        CheckoutForm(),
        CheckoutForm(initial={"country": "US", "name": HOSTILE}),
        CheckoutForm({"country": "DE", "email": HOSTILE}),
        CheckoutForm({"country": HOSTILE}),
        AddressForm(initial={"country": "CA", "make_default": True}),
        LoginForm({"email": "alice@example.com", "password": "a secret"}),
        RegisterForm(),
        AddressForm(prefix="second"),
        AddressForm(auto_id=False),
    ],
    ids=lambda form: f"{type(form).__name__} {form.data or form.initial} {form.prefix}",
)
@pytest.mark.parametrize("attrs", [{}, {"aria-describedby": "a b", "aria-invalid": "true"}])
def test_control_is_the_one_that_django_writes(form: forms.Form, attrs: dict[str, str]) -> None:
    for bound in form:
        drawn_by_django = bound.as_widget(attrs={**bound.field.widget.attrs, **attrs})

        assert control(bound, attrs) == drawn_by_django, bound.name


def test_password_is_not_written_into_the_page() -> None:
    form = LoginForm({"email": "alice@example.com", "password": "a secret"})

    assert "a secret" not in control(form["password"], {})
