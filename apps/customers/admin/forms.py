"""Forms of accounts and addresses."""

from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from unfold.forms import UserChangeForm, UserCreationForm

from apps.customers.addresses import FIELDS, AddressInvalid, clean_address
from apps.customers.models import Address, User, login_name


def clean_email(email: str, *, own: int | None) -> str:
    """The e-mail address as it is stored. Raises ValidationError if another account has it.

    `own`: the id of the account that is being edited.
    """
    lower = login_name(email)
    if User.objects.filter(email__iexact=lower).exclude(pk=own).exists():
        raise ValidationError("There is an account with this e-mail address.")
    return lower


class AccountForm(UserChangeForm):
    """An account's fields; the password has a separate form."""

    class Meta:
        model = User
        fields = "__all__"

    def clean_email(self) -> str:
        return clean_email(self.cleaned_data["email"], own=self.instance.pk)


class NewAccountForm(UserCreationForm):
    """A new account."""

    class Meta:
        model = User
        fields = ("email", "name")

    def clean_email(self) -> str:
        return clean_email(self.cleaned_data["email"], own=None)


class AddressForm(forms.ModelForm):
    """An entry of the address book, checked by `clean_address`."""

    class Meta:
        model = Address
        fields = FIELDS

    def clean(self) -> Any:
        cleaned = super().clean() or self.cleaned_data
        try:
            cleaned.update(clean_address(cleaned))
        except AddressInvalid as refused:
            for error in refused.errors:
                if error.field not in self.errors:
                    self.add_error(error.field, error.message)
        return cleaned
