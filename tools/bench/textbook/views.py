"""One transaction around everything: lock the stock, charge the card, write the order.

Correct as long as nothing fails: no unit is sold twice. It holds the lock on the stock while the
gateway works, and a lost answer charges a card for an order that was rolled back. It does less than
the shop's checkout (no key, no quote, no promo, no saga), so that the difference is the lock.
"""

import json
from uuid import uuid4

from django.db import transaction
from django.http import HttpRequest, JsonResponse
from django.views.decorators.csrf import csrf_exempt

from apps.catalog.models import Variant
from apps.inventory.models import StockItem, StockMovement
from apps.orders.models import Order, OrderLine
from apps.payments.gateway import get_gateway
from apps.payments.models import Payment


@csrf_exempt
def checkout(request: HttpRequest) -> JsonResponse:
    body = json.loads(request.body)
    (line,) = body["lines"]
    order_id = uuid4()
    with transaction.atomic():
        variant = Variant.objects.get(sku=line["sku"])
        stock = StockItem.objects.select_for_update().get(variant=variant)
        if stock.on_hand - stock.reserved < line["quantity"]:
            return JsonResponse({"code": "out_of_stock"}, status=409)
        amount = variant.price_amount * line["quantity"]
        intent = get_gateway().authorize(
            key=str(order_id),
            amount=amount,
            currency="USD",
            payment_method=body["payment_method"],
            metadata={},
            return_url="http://127.0.0.1/",
        )
        order = Order.objects.create(
            id=order_id,
            number=f"T-{order_id.hex[:10]}",
            email=body["email"],
            currency="USD",
            subtotal_amount=amount,
            discount_amount=0,
            shipping_amount=0,
            tax_amount=0,
            total_amount=amount,
            shipping_address=body["shipping_address"],
            shipping_method=body["shipping_method"],
        )
        OrderLine.objects.create(
            order=order,
            sku=variant.sku,
            name=variant.product.name,
            quantity=line["quantity"],
            unit_amount=variant.price_amount,
            line_amount=amount,
        )
        Payment.objects.create(
            order_id=order.pk,
            amount=amount,
            currency="USD",
            status=Payment.Status.AUTHORIZED,
            payment_method=body["payment_method"],
            intent_id=intent.id,
        )
        stock.on_hand -= line["quantity"]
        stock.save()
        StockMovement.objects.create(
            stock_item=stock,
            kind=StockMovement.Kind.CONFIRMED,
            quantity=-line["quantity"],
            reason="sold",
            actor="textbook",
            order_id=order.pk,
        )
    return JsonResponse({"order": str(order.pk)}, status=202)
