"""The checkout: one page, one order, however often the form is sent.

view.py       what the address answers: the form, the form priced again, the order placed
placing.py    from a posted form to an order
refusals.py   what is shown where no order was made
page.py       the page itself
form_cart.py, earlier_orders.py   where it ends when the cart is gone
draft.py      what was typed, kept until the order is placed
repairs.py    what stands in the way, and the buttons that mend it

The form carries an idempotency key of its own, which counts in this visitor's session only, or for
this account: with another visitor's key nothing is found. When the form is sent twice (a double
click, the back button, a reload), the second request finds the order of the first by that key and
leads to it. A form that comes back with an error keeps its key, because nothing was ordered with
it.
"""

from apps.web.views.checkout.view import checkout, checkout_again

__all__ = ["checkout", "checkout_again"]
