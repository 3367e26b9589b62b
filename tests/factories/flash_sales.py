"""Flash sales."""

import uuid
from datetime import timedelta
from typing import Any

from django.utils import timezone

from apps.catalog.models import Variant
from apps.flash_sales import active_sales
from apps.flash_sales.models import FlashSale


def a_flash_sale(*variants: Variant, **fields: Any) -> FlashSale:
    """A sale of `variants` that runs for another hour, with a stock gate and no waiting room."""
    now = timezone.now()
    times = {
        "queue_opens_at": now - timedelta(minutes=10),
        "starts_at": now - timedelta(minutes=1),
        "ends_at": now + timedelta(hours=1),
    }
    slug = f"winter-sale-{uuid.uuid4().hex[:8]}"
    sale = FlashSale.objects.create(**{"name": "Winter Sale", "slug": slug} | times | fields)
    sale.variants.set(variants)
    active_sales.forget()
    return sale
