"""A product's pictures in its form: paths that exist already, or uploaded files."""

import hashlib
from typing import Any

from django import forms
from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.files.storage import default_storage
from django.core.files.uploadedfile import UploadedFile
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.html import format_html
from django.utils.safestring import SafeString
from unfold.admin import TabularInline
from unfold.decorators import display
from unfold.widgets import UnfoldAdminFileFieldWidget

from apps.catalog.models import ProductImage, Variant
from apps.catalog.pictures import BYTES_MAX, FOLDER, FORMATS, PLACEHOLDER


class ImageForm(forms.ModelForm):
    """One picture: the path of a stored one, or an uploaded file."""

    upload = forms.ImageField(
        required=False,
        label="New file",
        widget=UnfoldAdminFileFieldWidget,
        help_text=f"JPEG, PNG, WebP or GIF, up to {BYTES_MAX // 1_000_000} MB.",
    )

    class Meta:
        model = ProductImage
        fields = ("path", "upload", "alt", "variant", "position")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if "path" in self.fields:  # absent without the permission to change
            self.fields["path"].required = False

    def clean_path(self) -> str:
        path = self.cleaned_data.get("path", "").strip()
        # The pages' Content-Security-Policy refuses pictures of other hosts, and a request to
        # another host would disclose the visitor.
        if path and not path.startswith((settings.STATIC_URL, settings.MEDIA_URL)):
            raise ValidationError(
                f"A path that begins with {settings.STATIC_URL} or {settings.MEDIA_URL}."
            )
        return path

    def clean_upload(self) -> Any:
        picture: Any = self.cleaned_data.get("upload")
        if picture and picture.size > BYTES_MAX:
            raise ValidationError(f"At most {BYTES_MAX // 1_000_000} MB.")
        # By the format that Pillow found, not by the file's name: an SVG can run scripts.
        if picture and picture.image.format not in FORMATS:
            raise ValidationError("Only JPEG, PNG, WebP and GIF.")
        return picture

    def clean(self) -> Any:
        cleaned = super().clean() or self.cleaned_data
        if not self.errors and not cleaned.get("path") and not cleaned.get("upload"):
            self.add_error("path", "Bring a file along, or say where the picture is.")
        return cleaned

    def save(self, commit: bool = True) -> ProductImage:
        picture = self.cleaned_data.get("upload")
        if picture:
            self.instance.path = store(picture)
        return super().save(commit)


def store(picture: UploadedFile) -> str:
    """Store an uploaded picture under the digest of its bytes; return its URL path."""
    picture.seek(0)
    digest = hashlib.sha256(picture.read()).hexdigest()[:32]
    name = f"{FOLDER}/{digest}.{FORMATS[picture.image.format]}"  # type: ignore[attr-defined]
    if not default_storage.exists(name):
        picture.seek(0)
        default_storage.save(name, picture)
    return default_storage.url(name)


class OwnVariantChoice(forms.ModelChoiceField):
    """A product's variants, read once for all rows of a form, not once for each."""

    def __init__(self, queryset: QuerySet, **kwargs: Any) -> None:
        self._read: list[Any] = []  # shared by the copies of this field in the rows
        super().__init__(queryset, **kwargs)

    def _get_choices(self) -> list[Any]:
        if not self._read:
            self._read += [("", "every variant")]
            self._read += [(row.pk, self.label_from_instance(row)) for row in self.queryset]
        return self._read

    choices = property(_get_choices, forms.ModelChoiceField.choices.fset)


class ImageInline(TabularInline):
    """Pictures in the order in which pages show them."""

    model = ProductImage
    form = ImageForm
    extra = 0
    per_page = 12
    hide_title = True
    fields = ("thumbnail", "path", "upload", "alt", "variant", "position")
    readonly_fields = ("thumbnail",)

    @display(description="picture")
    def thumbnail(self, image: ProductImage) -> SafeString | str:
        return thumbnail(image.path) if image.pk else "–"

    def formfield_for_foreignkey(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        if db_field.name == "variant":
            product_id = request.resolver_match and request.resolver_match.kwargs.get("object_id")
            is_saved = str(product_id or "").isdigit()
            kwargs["queryset"] = Variant.objects.filter(
                product=product_id if is_saved else None
            ).select_related("product")
            kwargs["form_class"] = OwnVariantChoice
        return super().formfield_for_foreignkey(db_field, request, **kwargs)


def thumbnail(path: str) -> SafeString:
    """A small picture, which the browser loads only when it is scrolled to."""
    return format_html(
        '<img class="bo-thumb" src="{}" alt="" width="40" height="40" loading="lazy">',
        path or PLACEHOLDER,
    )
