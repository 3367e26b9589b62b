"""The forms of the pages. Addresses are validated by `customers.addresses`."""

import re
from typing import Any

from django import forms
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError

from apps.core.clean_forms import EmailField
from apps.customers import addresses, countries, passwords
from apps.customers.errors import AddressInvalid
from apps.customers.models import User
from apps.web.form_controls import CountrySelect

PAYMENT_TOKEN = re.compile(r"pm_[A-Za-z0-9_]{1,100}", re.ASCII)


def text_field(
    label: str,
    autocomplete: str,
    *,
    limit: int,
    required: bool = True,
    kind: str = "text",
    missing: str = "",
    **attrs: str,
) -> forms.CharField:
    widget = {"tel": forms.TextInput, "email": forms.EmailInput}.get(kind, forms.TextInput)
    made = widget(attrs={"autocomplete": autocomplete, "maxlength": str(limit), **attrs})
    made.input_type = kind
    return forms.CharField(
        label=label,
        max_length=limit,
        required=required,
        widget=made,
        error_messages={"required": missing or "Please fill this in."},
    )


class AddressFields(forms.Form):
    """The parts of an address in the order of the page, validated by customers.addresses."""

    name = text_field("Name", "name", limit=120, missing="Who should the parcel ask for?")
    country = forms.ChoiceField(
        label="Country",
        choices=countries.choices,
        widget=CountrySelect(attrs={"autocomplete": "country"}),
        error_messages={"required": "Choose a country.", "invalid_choice": "Choose a country."},
    )
    line1 = text_field(
        "Street and number", "address-line1", limit=200, missing="Street and number, please."
    )
    line2 = text_field("Floor, flat, bell", "address-line2", limit=200, required=False)
    city = text_field("City", "address-level2", limit=100, missing="Which city?")
    region = text_field("State or province", "address-level1", limit=100, required=False)
    postal_code = text_field("Postal code", "postal-code", limit=20, required=False)
    phone = text_field("Phone", "tel", limit=40, required=False, kind="tel", inputmode="tel")

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        try:
            data.update(
                addresses.clean_address({name: data.get(name) for name in addresses.FIELDS})
            )
        except AddressInvalid as refused:
            for field, _code, message in refused.errors:
                if field not in self.errors:
                    self.add_error(field, message)
        return data

    def address(self) -> dict[str, str]:
        """The validated address; call after is_valid()."""
        return {name: self.cleaned_data[name] for name in addresses.FIELDS}


class CheckoutForm(AddressFields):
    """Everything an order needs besides the cart."""

    email = EmailField(
        label="E-mail",
        max_length=254,
        widget=forms.EmailInput(attrs={"autocomplete": "email", "inputmode": "email"}),
        error_messages={
            "required": "Where should the confirmation go?",
            "invalid": "This does not look like an e-mail address.",
        },
    )
    shipping_method = forms.CharField(
        label="How fast",
        max_length=40,
        error_messages={"required": "Choose how fast it should travel."},
    )
    payment_method = forms.CharField(
        label="Payment",
        max_length=120,
        error_messages={"required": "Choose how you pay."},
    )
    field_order = (
        "email",
        *addresses.FIELDS,
        "shipping_method",
        "payment_method",
    )

    def __init__(
        self, *args: Any, methods: set[str] | None = None, ships: bool = True, **kwargs: Any
    ) -> None:
        super().__init__(*args, **kwargs)
        self._methods = methods or set()
        # Where nothing is shipped, how fast is no question.
        self.fields["shipping_method"].required = self._ships = ships

    def clean_email(self) -> str:
        return self.cleaned_data["email"].lower()

    def clean_shipping_method(self) -> str:
        code = self.cleaned_data["shipping_method"]
        if not self._ships:
            return ""
        if code not in self._methods:
            raise ValidationError("We do not deliver there that way. Please choose another.")
        return code

    def clean_payment_method(self) -> str:
        token = self.cleaned_data["payment_method"]
        if not PAYMENT_TOKEN.fullmatch(token):
            raise ValidationError("Choose how you pay.")
        return token


class AddressForm(AddressFields):
    """An entry of the address book."""

    make_default = forms.BooleanField(label="Use this one first", required=False)


def password_field(label: str, autocomplete: str, *, help_text: str = "") -> forms.CharField:
    return forms.CharField(
        label=label,
        strip=False,
        max_length=passwords.LENGTH_MAX,
        help_text=help_text,
        widget=forms.PasswordInput(attrs={"autocomplete": autocomplete}),
        error_messages={"required": "Please fill this in."},
    )


def email_field() -> EmailField:
    return EmailField(
        label="E-mail",
        max_length=254,
        widget=forms.EmailInput(attrs={"autocomplete": "username", "inputmode": "email"}),
        error_messages={
            "required": "Please fill this in.",
            "invalid": "This does not look like an e-mail address.",
        },
    )


class LoginForm(forms.Form):
    email = email_field()
    password = password_field("Password", "current-password")


PASSWORD_RULE = "Eight characters or more, and not one that everybody uses, however spelled."  # noqa: S105


class RegisterForm(forms.Form):
    """The arguments of `accounts.register`, which validates them."""

    name = text_field("Name", "name", limit=120, required=False)
    email = email_field()
    password = password_field("Password", "new-password", help_text=PASSWORD_RULE)


class NameForm(forms.Form):
    name = text_field("Name", "name", limit=120, required=False)


class ResetForm(forms.Form):
    email = email_field()


class NewPasswordForm(forms.Form):
    """A new password, typed twice because password fields hide what is typed."""

    new_password1 = password_field("New password", "new-password", help_text=PASSWORD_RULE)
    new_password2 = password_field("The same again", "new-password")

    def __init__(self, user: User, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.user = user

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        first, second = data.get("new_password1"), data.get("new_password2")
        if first and second and first != second:
            self.add_error("new_password2", "The two are not the same.")
        elif first:
            try:
                validate_password(first, self.user)
            except ValidationError as refused:
                self.add_error("new_password1", refused)
        return data


class ChangePasswordForm(NewPasswordForm):
    """As NewPasswordForm, with the current password as proof."""

    old_password = password_field("Current password", "current-password")
    field_order = ("old_password", "new_password1", "new_password2")

    def clean_old_password(self) -> str:
        old = self.cleaned_data["old_password"]
        if not self.user.check_password(old):
            raise ValidationError("This is not your current password.")
        return old
