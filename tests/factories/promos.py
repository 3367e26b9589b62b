"""Promos and redemptions."""

import uuid
from datetime import timedelta
from typing import Any

import factory
from django.db.models import F
from django.utils import timezone
from factory.django import DjangoModelFactory

from apps.promos.models import Promo, Redemption


class PromoFactory(DjangoModelFactory):
    """Ten per cent off, without limits. Traits: fixed, free_shipping, buy_two_get_one, one_use."""

    class Meta:
        model = Promo

    class Params:
        fixed = factory.Trait(kind=Promo.Kind.FIXED, percent_bp=0, amount=500)
        free_shipping = factory.Trait(kind=Promo.Kind.FREE_SHIPPING, percent_bp=0)
        buy_two_get_one = factory.Trait(
            kind=Promo.Kind.BUY_X_GET_Y, percent_bp=0, buy_quantity=2, get_quantity=1
        )
        one_use = factory.Trait(total_limit=1)
        over = factory.Trait(
            ends_at=factory.LazyFunction(lambda: timezone.now() - timedelta(days=1))
        )

    code = factory.Sequence("MORNING{}".format)
    kind = Promo.Kind.PERCENTAGE
    percent_bp = 1000


class RedemptionFactory(DjangoModelFactory):
    """One use of a promo, counted in the promo while it is live. Trait: paid."""

    class Meta:
        model = Redemption

    promo = factory.SubFactory(PromoFactory)
    order_id = factory.LazyFunction(uuid.uuid4)
    customer_key = "alice@example.com"

    class Params:
        paid = factory.Trait(use_number=factory.Sequence(lambda number: number + 1))

    @classmethod
    def _create(cls, model_class: type[Redemption], *args: Any, **fields: Any) -> Redemption:
        made = super()._create(model_class, *args, **fields)
        if made.live:
            Promo.objects.filter(pk=made.promo_id).update(used=F("used") + 1)
            made.promo.refresh_from_db()
        return made
