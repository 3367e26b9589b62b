"""The list of accounts and the page of one."""

from typing import Any

from django.contrib import admin
from django.db.models import Count, F, IntegerField, OuterRef, QuerySet, Subquery
from django.db.models.functions import Coalesce
from django.http import HttpRequest
from django.utils.safestring import SafeString
from unfold.contrib.filters.admin import BooleanRadioFilter
from unfold.decorators import display
from unfold.forms import AdminPasswordChangeForm

from apps.backoffice.checks import OfflineChecks
from apps.backoffice.day_filter import DaysFilter
from apps.backoffice.formatting import label
from apps.customers.admin.erase_button import EraseButton
from apps.customers.admin.forms import AccountForm, NewAccountForm
from apps.customers.admin.inlines import AddressInline, OrderInline
from apps.customers.admin.permissions import without_hidden
from apps.customers.admin.rights import GuardedUserAdmin
from apps.customers.admin.second_factor_reset import SecondFactorReset
from apps.customers.models import User


@admin.register(User)
class CustomerAdmin(EraseButton, SecondFactorReset, GuardedUserAdmin):
    """Accounts of customers and staff."""

    checks_class = OfflineChecks
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
    actions_detail = ("reset_second_factor", "erase_buyer")
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

    def formfield_for_manytomany(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        field = super().formfield_for_manytomany(db_field, request, **kwargs)
        if field is not None and db_field.name == "user_permissions":
            without_hidden(field)
        return field

    @display(description="orders", ordering=F("orders_placed"))
    def order_count(self, user: Any) -> int:
        return user.orders_placed

    @display(description="role")
    def role(self, user: User) -> SafeString | str:
        if user.is_superuser:
            return label("review", "superuser")
        return label("SHIPPED", "staff") if user.is_staff else "customer"
