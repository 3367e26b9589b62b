"""Promo codes in the back office: a form that asks for what the kind needs, and who used them."""

from apps.promos.admin import promos, redemptions

__all__ = ["promos", "redemptions"]
