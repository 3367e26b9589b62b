"""The category tree in the back office."""

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.db.models import F, IntegerField, OuterRef, QuerySet, Subquery, Sum
from django.db.models.functions import Coalesce
from django.http import HttpRequest
from django.utils.html import format_html
from django.utils.safestring import SafeString
from treebeard.exceptions import InvalidMoveToDescendant, PathOverflow
from unfold.admin import ModelAdmin
from unfold.decorators import display
from unfold.widgets import UnfoldAdminSelectWidget

from apps.backoffice.old_and_new import OldAndNew
from apps.catalog.admin.fields import CategoryChoice
from apps.catalog.categories import move_category
from apps.catalog.models import Category, Product

PLACES = [
    ("", "where it is"),
    ("first-child", "first below …"),
    ("last-child", "last below …"),
    ("left", "right before …"),
    ("right", "right after …"),
]


class CategoryForm(forms.ModelForm):
    """A category and its position in the tree."""

    place = forms.ChoiceField(choices=PLACES, required=False, widget=UnfoldAdminSelectWidget)
    relative_to = CategoryChoice(
        label="…",
        required=False,
        empty_label="(the top of the tree)",
        help_text="Shelves below this one move along.",
    )

    class Meta:
        model = Category
        fields = ("name", "slug", "caption", "description", "image")

    def clean(self) -> Any:
        cleaned = super().clean() or self.cleaned_data
        place, target = cleaned.get("place"), cleaned.get("relative_to")
        if place in ("left", "right") and target is None:
            self.add_error("relative_to", "Choose the shelf it should stand beside.")
        if place and target and self.instance.pk and self._is_below_itself(target):
            self.add_error("relative_to", "A shelf cannot hang on itself or below itself.")
        return cleaned

    def _is_below_itself(self, target: Category) -> bool:
        # Read again: another member of staff may have moved either one since this form was made.
        itself = Category.objects.get(pk=self.instance.pk)
        return target.path.startswith(itself.path)


@admin.register(Category)
class CategoryAdmin(OldAndNew, ModelAdmin):
    """The list of categories in tree order, and the form of one."""

    form = CategoryForm
    list_display = ("indented_name", "slug", "product_count")
    search_fields = ("name", "slug")
    ordering = ("path",)
    list_per_page = 200
    prepopulated_fields = {"slug": ("name",)}
    fieldsets = (
        (None, {"fields": (("name", "slug"), "caption", "description", "image")}),
        ("Place in the tree", {"fields": (("place", "relative_to"),)}),
    )

    def get_prepopulated_fields(self, request: HttpRequest, obj: Any = None) -> dict[str, Any]:
        return super().get_prepopulated_fields(request, obj) if obj is None else {}

    def get_queryset(self, request: HttpRequest) -> QuerySet:
        products = Product.objects.filter(category=OuterRef("pk")).order_by()
        count = products.annotate(_one=F("pk") * 0).values("_one").annotate(n=Sum(F("pk") * 0 + 1))
        return (
            super()
            .get_queryset(request)
            .annotate(
                products_in_it=Coalesce(Subquery(count.values("n"), output_field=IntegerField()), 0)
            )
        )

    def get_actions(self, request: HttpRequest) -> dict[str, Any]:
        return {}  # deleting several at once would delete their subcategories unseen

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        if obj is not None and not obj.is_leaf():
            return False
        return super().has_delete_permission(request, obj)

    @display(description="shelf")
    def indented_name(self, category: Category) -> SafeString:
        return format_html(
            '<span style="padding-left: {}rem">{}</span>', 1.5 * (category.depth - 1), category.name
        )

    @display(description="products on it")
    def product_count(self, category: Any) -> int:
        return category.products_in_it

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        place, target = form.cleaned_data.get("place"), form.cleaned_data.get("relative_to")
        try:
            if not change:
                Category.objects.add_root(instance=obj)
            else:
                # Not its position in the tree: that may have changed since the form was read.
                obj.save(update_fields=["name", "slug", "caption", "description", "image"])
            if place:
                self._move(obj, target, place)
        except (InvalidMoveToDescendant, PathOverflow) as refused:
            messages.error(request, f"Saved, but not moved: {refused}")

    def _move(self, category: Category, target: Category | None, place: str) -> None:
        if target is None:
            target = Category.objects.get_last_root_node()
            place = "first-sibling" if place == "first-child" else "last-sibling"
        move_category(Category.objects.get(pk=category.pk), target, position=place)
