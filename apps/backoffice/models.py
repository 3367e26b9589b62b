"""The log of what staff decided about cases that could not be completed automatically."""

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now


class Decision(models.Model):
    """One decision about one case. Append-only (trigger): a later one does not overwrite it.

    `kind` is the name of the case type (review_cases/case_types.py), `subject` the case's key;
    `order_id` is the order that it belongs to, if there is one.
    """

    id = models.BigAutoField(primary_key=True)
    kind = models.SlugField(max_length=20, db_index=False)
    subject = models.CharField(max_length=120)
    order_id = models.UUIDField(null=True, blank=True)
    decision = models.CharField(max_length=12)
    reason = models.CharField(max_length=255)
    actor = models.CharField(max_length=254)
    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.CheckConstraint(
                condition=~Q(actor="") & ~Q(reason=""), name="decision_has_actor_and_reason"
            ),
        ]
        indexes = [
            models.Index(fields=["kind", "subject", "-id"], name="decision_by_case"),
            models.Index(
                fields=["order_id"], condition=Q(order_id__isnull=False), name="decision_by_order"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.decision} by {self.actor}: {self.reason}"
