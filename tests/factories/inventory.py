"""Warehouses, stock items, holds and movements."""

import uuid
from datetime import timedelta
from typing import Any

import factory
from django.db.models import F
from django.utils import timezone
from factory.django import DjangoModelFactory

from apps.inventory.models import Hold, StockItem, StockMovement, Warehouse
from apps.inventory.stock import default_warehouse


class WarehouseFactory(DjangoModelFactory):
    """One more warehouse. The default one comes from `stock.default_warehouse()`."""

    class Meta:
        model = Warehouse

    code = factory.Sequence("warehouse-{}".format)
    name = factory.LazyAttribute(lambda made: made.code.title())
    priority = 10
    is_default = False


class StockItemFactory(DjangoModelFactory):
    """A stock item with its INITIAL movement, and with an active hold for what is `reserved`."""

    class Meta:
        model = StockItem
        skip_postgeneration_save = True

    warehouse = factory.LazyFunction(default_warehouse)
    variant = factory.SubFactory("tests.factories.catalog.VariantFactory")
    on_hand = 10

    @classmethod
    def _create(cls, model_class: type[StockItem], *args: Any, **fields: Any) -> StockItem:
        # A variant that sells on has got its empty stock item already.
        made = model_class.objects.filter(
            variant=fields["variant"], warehouse=fields["warehouse"], movements=None
        ).first()
        if made is None:
            return super()._create(model_class, *args, **fields)
        for name, value in fields.items():
            setattr(made, name, value)
        made.save()
        return made

    @factory.post_generation
    def ledger(made: StockItem, create: bool, extracted: Any, **_: Any) -> None:
        if not create:
            return
        StockMovement.objects.create(
            stock_item=made,
            kind=StockMovement.Kind.INITIAL,
            quantity=made.on_hand,
            reason="opening stock",
            actor="tests",
        )
        if made.reserved:
            HoldFactory(stock_item=made, quantity=made.reserved, counted=True)


class HoldFactory(DjangoModelFactory):
    """Units held for an order. Raises `reserved` too; not with `counted=True`: it is raised."""

    class Meta:
        model = Hold
        skip_postgeneration_save = True

    order_id = factory.LazyFunction(uuid.uuid4)
    stock_item = factory.SubFactory(StockItemFactory)
    quantity = 1
    expires_at = factory.LazyFunction(lambda: timezone.now() + timedelta(minutes=15))

    @classmethod
    def _create(cls, model_class: type[Hold], *args: Any, **fields: Any) -> Hold:
        counted = fields.pop("counted", False)
        made = super()._create(model_class, *args, **fields)
        if made.state == Hold.State.ACTIVE and not counted:
            StockItem.objects.filter(pk=made.stock_item_id).update(
                reserved=F("reserved") + made.quantity
            )
            made.stock_item.refresh_from_db()
        return made


class StockMovementFactory(DjangoModelFactory):
    """A movement alone, without a change of `on_hand`: for tests of the ledger itself."""

    class Meta:
        model = StockMovement

    stock_item = factory.SubFactory(StockItemFactory)
    kind = StockMovement.Kind.RECEIVED
    quantity = 1
    actor = "tests"
