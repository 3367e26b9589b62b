"""The mails about goods that come back and money that goes back.

All of them are about paid orders, so none is withheld (email_moments.NOT_BEFORE). Each is about one
return or one refund, and is written once for it.
"""

from apps.core import money
from apps.notifications.messages import Message, compose
from apps.orders import refund_words
from apps.orders.emails import common
from apps.orders.models import Order, Return
from apps.orders.return_instructions import instructions_for
from apps.payments.models import Refund


def return_announced(announced: Return) -> Message:
    """“Your return K7M2-R1”: what goes back, where to, and what to do."""
    order, instructions = announced.order, instructions_for(announced)
    data = common(order) | {
        "return_number": instructions.number,
        "lines": _goods(instructions.goods),
        "send_to": instructions.address,
        "what_to_do": instructions.what_to_do,
    }
    return compose(
        "return_announced", data, order_id=order.pk, to=order.email, about=str(announced.pk)
    )


def return_received(returned: Return, *, refund_amount: int) -> Message:
    """“Your return has arrived”. refund_amount: minor units that are now sent back; may be 0."""
    order = returned.order
    lines = list(returned.lines.select_related("line"))
    data = common(order) | {
        "lines": _goods(tuple((each.line.name, each.accepted or 0) for each in lines)),
        "not_accepted": _goods(
            tuple((each.line.name, each.quantity - (each.accepted or 0)) for each in lines)
        ),
        "reason": returned.answer,
        "refund": money.for_people(refund_amount, order.currency) if refund_amount else "",
    }
    return compose(
        "return_received", data, order_id=order.pk, to=order.email, about=str(returned.pk)
    )


def return_refused(refused: Return) -> Message:
    """“We could not accept your return K7M2-R1”, with the reason."""
    order, instructions = refused.order, instructions_for(refused)
    data = common(order) | {
        "return_number": instructions.number,
        "lines": _goods(instructions.goods),
        "reason": refused.answer,
    }
    return compose("return_refused", data, order_id=order.pk, to=order.email, about=str(refused.pk))


def refund_sent(order: Order, refund: Refund) -> Message:
    """“We have sent $44.00 back”, when the gateway has said so."""
    data = common(order) | {
        "refund": money.for_people(refund.amount, order.currency),
        "what_for": refund_words.for_shopper(refund.purpose),
    }
    return compose("refund_sent", data, order_id=order.pk, to=order.email, about=str(refund.pk))


def _goods(goods: tuple[tuple[str, int], ...]) -> list[dict[str, object]]:
    return [
        {"name": name, "quantity": quantity, "amount": ""} for name, quantity in goods if quantity
    ]
