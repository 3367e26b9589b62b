"""Limits of a body that other packages read by these names."""

from apps.cart.carts import LINES_MAX, QUANTITY_MAX

__all__ = ["LINES_MAX", "QUANTITY_MAX"]
