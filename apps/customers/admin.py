"""Accounts in the back office: customers with their addresses and orders, staff with their rights.

Whoever may edit accounts may not thereby become more than they are. Only a superuser hands out
staff status, groups and permissions, and only a superuser touches the account of a colleague:
without that, "may edit customers" would be a way to everything, by one's own tick or by a
colleague's new password.
"""

from typing import Any

from django import forms
from django.apps import apps
from django.contrib import admin
from django.contrib.auth.admin import GroupAdmin, UserAdmin
from django.contrib.auth.models import Group
from django.core.exceptions import PermissionDenied, ValidationError
from django.db.models import Count, F, IntegerField, OuterRef, QuerySet, Subquery
from django.db.models.functions import Coalesce
from django.http import HttpRequest, HttpResponse
from django.utils.safestring import SafeString
from unfold.admin import ModelAdmin, StackedInline
from unfold.contrib.filters.admin import BooleanRadioFilter
from unfold.decorators import display
from unfold.forms import AdminPasswordChangeForm, UserChangeForm, UserCreationForm

from apps.customers.addresses import FIELDS, AddressInvalid, clean_address
from apps.customers.models import Address, User
from storefront.backoffice.day_filter import DaysFilter
from storefront.backoffice.looks import amount, label, link
from storefront.backoffice.order_links import order_url
from storefront.backoffice.read_only import ReadOnlyInline

RIGHTS = ("is_staff", "is_superuser", "groups", "user_permissions")


def clean_email(email: str, *, own: int | None) -> str:
    """The address as it is stored; refused when another account has it in whatever capitals."""
    lower = email.strip().lower()
    if User.objects.filter(email__iexact=lower).exclude(pk=own).exists():
        raise ValidationError("There is an account with this e-mail address.")
    return lower


class AccountForm(UserChangeForm):
    """An account's own fields; the password has a form of its own."""

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
    """An entry of the address book, held to the shop's one rule for addresses."""

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


class AddressInline(StackedInline):
    """The address book."""

    model = Address
    form = AddressForm
    extra = 0
    per_page = 20
    collapsible = True
    fieldsets = (
        (None, {"fields": (
            ("name", "phone"), ("line1", "line2"), ("city", "region"), ("postal_code", "country"),
        )}),
    )  # fmt: skip


class OrderInline(ReadOnlyInline):
    """What the account has bought, newest first. The model by name: see order_links.py."""

    model = apps.get_model("orders", "Order")
    fk_name = "user"
    verbose_name_plural = "orders"
    fields = readonly_fields = ("order", "state", "total", "placed_at")
    ordering = ("-id",)
    per_page = 15

    @display(description="order")
    def order(self, order: Any) -> SafeString:
        return link(order_url(order.pk), order.number)

    @display(description="status")
    def state(self, order: Any) -> SafeString:
        return label(order.status)

    @display(description="total")
    def total(self, order: Any) -> str:
        return amount(order.total_amount, order.currency)


@admin.register(User)
class CustomerAdmin(UserAdmin, ModelAdmin):
    """Accounts."""

    form = AccountForm
    add_form = NewAccountForm
    change_password_form = AdminPasswordChangeForm
    list_display = ("email", "name", "order_count", "role", "is_active", "joined_at")
    list_filter = (
        ("is_staff", BooleanRadioFilter),
        ("is_active", BooleanRadioFilter),
        ("joined_at", DaysFilter),
    )
    list_filter_submit = True
    list_per_page = 50
    search_fields = ("email", "name")
    ordering = ("-id",)
    filter_horizontal = ()
    autocomplete_fields = ("groups",)
    actions = ()
    fieldsets = (
        (None, {"fields": (
            ("email", "name"), "password", "is_active", ("joined_at", "last_login"),
        )}),
        ("Rights", {"fields": (("is_staff", "is_superuser"), "groups", "user_permissions"),
                    "classes": ("collapse",)}),
    )  # fmt: skip
    add_fieldsets = ((None, {"fields": ("email", "name", "password1", "password2")}),)
    readonly_fields = ("joined_at", "last_login")
    inlines = (AddressInline, OrderInline)

    def get_inlines(self, request: HttpRequest, obj: Any) -> Any:
        if obj is None:
            return ()
        return [
            inline
            for inline in self.inlines
            if inline is not OrderInline or request.user.has_perm("orders.view_order")  # type: ignore[union-attr]
        ]

    def get_actions(self, request: HttpRequest) -> dict[str, Any]:
        return {}

    def get_queryset(self, request: HttpRequest) -> QuerySet:
        orders = OrderInline.model.objects.filter(user=OuterRef("pk")).order_by()
        count = orders.values("user").annotate(n=Count("pk")).values("n")
        return (
            super()
            .get_queryset(request)
            .annotate(orders_placed=Coalesce(Subquery(count, output_field=IntegerField()), 0))
        )

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return super().has_change_permission(request, obj) and self._may_touch(request, obj)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return super().has_delete_permission(request, obj) and self._may_touch(request, obj)

    @staticmethod
    def _may_touch(request: HttpRequest, obj: Any) -> bool:
        who: Any = request.user
        if who.is_superuser or not isinstance(obj, User):
            return True
        return not (obj.is_staff or obj.is_superuser)

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        fields = super().get_readonly_fields(request, obj)
        if request.user.is_superuser:  # type: ignore[union-attr]
            return fields
        return (*fields, *RIGHTS)

    def user_change_password(
        self, request: HttpRequest, id: str, form_url: str = ""
    ) -> HttpResponse:
        found = self.get_object(request, id)
        if found is not None and not self._may_touch(request, found):
            raise PermissionDenied
        return super().user_change_password(request, id, form_url)

    def formfield_for_manytomany(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        field = super().formfield_for_manytomany(db_field, request, **kwargs)
        if field is not None and db_field.name == "user_permissions":
            field.queryset = field.queryset.select_related("content_type").exclude(
                content_type__app_label="djstripe"
            )
        return field

    @display(description="orders", ordering=F("orders_placed"))
    def order_count(self, user: Any) -> int:
        return user.orders_placed

    @display(description="role")
    def role(self, user: User) -> SafeString | str:
        if user.is_superuser:
            return label("review", "superuser")
        return label("SHIPPED", "staff") if user.is_staff else "customer"


admin.site.unregister(Group)


@admin.register(Group)
class RoleAdmin(GroupAdmin, ModelAdmin):
    """Roles: named sets of permissions (docs/admin.md says which do what). Superusers only:
    whoever edits a role that they have would edit their own rights."""

    filter_horizontal = ()

    def has_module_permission(self, request: HttpRequest) -> bool:
        return bool(request.user.is_superuser)  # type: ignore[union-attr]

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        # The autocomplete of an account's groups asks this too; it is a superuser's field.
        return bool(request.user.is_superuser)  # type: ignore[union-attr]

    def has_add_permission(self, request: HttpRequest) -> bool:
        return bool(request.user.is_superuser)  # type: ignore[union-attr]

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return bool(request.user.is_superuser)  # type: ignore[union-attr]

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return bool(request.user.is_superuser)  # type: ignore[union-attr]

    def formfield_for_manytomany(self, db_field: Any, request: Any = None, **kwargs: Any) -> Any:
        field = super().formfield_for_manytomany(db_field, request, **kwargs)
        if field is not None and db_field.name == "permissions":
            field.queryset = field.queryset.exclude(content_type__app_label="djstripe")
        return field
