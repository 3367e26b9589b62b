"""Shipping in the back office: zones, methods with their rates, and parcels (read only).

Parcels change state through the buttons on the order's page.
"""

from apps.shipping.admin import methods, shipments, zones

__all__ = ["methods", "shipments", "zones"]
