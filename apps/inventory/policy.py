"""What happens to a variant when none of it is left. Chosen at the variant; its stock items know
whether it sells on (`StockItem.sells_on`: everything but `deny`).

    deny        it is sold out. `reserved` never passes `on_hand`; a CHECK holds that
    continue    it goes on selling: units are sold that are not there yet, and ship later
                (back orders). `on_hand - reserved` below zero is what is owed
    untracked   it is not counted: never sold out, and `on_hand` says nothing about the warehouse

The books are the same for all three: a hold raises `reserved`, a sale lowers `on_hand` and has its
movement. A policy decides what is refused and what pages say, nothing else (ADR 50).
"""

from django.db import models


class Policy(models.TextChoices):
    """Of a variant: `Variant.InventoryPolicy`."""

    DENY = "deny", "sold out"
    CONTINUE = "continue", "goes on selling"
    UNTRACKED = "untracked", "not counted"
