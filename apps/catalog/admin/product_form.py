"""A product's own fields in its form, cleaned by the rules of the importer (text.py, limits.py)."""

from django import forms
from django.core.exceptions import ValidationError

from apps.catalog import limits
from apps.catalog.admin.fields import CategoryChoice, CommaListField
from apps.catalog.models import Product
from apps.catalog.text import one_line


class ProductForm(forms.ModelForm):
    """A product's own fields."""

    category = CategoryChoice()
    tags = CommaListField(required=False, help_text="Words with commas between; found by search.")

    class Meta:
        model = Product
        fields = (
            "name", "slug", "category", "vendor", "description", "tags", "published", "listed",
            "featured", "units_per_line", "units_per_order", "units_per_customer",
        )  # fmt: skip

    def clean_name(self) -> str:
        name = one_line(self.cleaned_data["name"])
        if not name:
            raise ValidationError("A product has a name.")
        return name

    def clean_vendor(self) -> str:
        return one_line(self.cleaned_data["vendor"])

    def clean_slug(self) -> str:
        slug: str = self.cleaned_data["slug"]
        others = Product.objects.filter(slug__iexact=slug).exclude(pk=self.instance.pk)
        if slug != self.initial.get("slug") and others.exists():
            raise ValidationError("Another product has this address, perhaps in other case.")
        return slug

    def clean_tags(self) -> list[str]:
        tags: list[str] = self.cleaned_data["tags"]
        if len(tags) > limits.TAGS or any(len(tag) > limits.TAG for tag in tags):
            raise ValidationError(f"At most {limits.TAGS} tags of {limits.TAG} characters each.")
        return tags
