"""The outbox for mail: one row per order, kind and matter is what makes a message go out once."""

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now


class Notification(models.Model):
    """A message to a shopper, due, sent or given up (dead letter)."""

    class State(models.TextChoices):
        DUE = "due"
        SENT = "sent"
        DEAD = "dead"

    order_id = models.UUIDField()
    kind = models.SlugField(max_length=40, db_index=False)
    about = models.CharField(
        max_length=40,
        blank=True,
        db_default="",
        help_text="which of several: an order may have many returns, each with a mail of its own",
    )
    to = models.EmailField()
    subject = models.CharField(max_length=200)
    body = models.TextField()
    state = models.CharField(max_length=8, choices=State, default=State.DUE)
    attempts = models.PositiveSmallIntegerField(default=0)
    due_at = models.DateTimeField(db_default=Now())
    last_error = models.CharField(max_length=255, blank=True)
    created_at = models.DateTimeField(db_default=Now())
    sent_at = models.DateTimeField(null=True, blank=True)
    resolution = models.CharField(max_length=255, blank=True)
    resolved_by = models.CharField(max_length=254, blank=True)
    resolved_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["order_id", "kind", "about"], name="one_notification_per_order_and_matter"
            ),
        ]
        indexes = [
            models.Index(fields=["due_at"], condition=Q(state="due"), name="notification_due"),
            models.Index(
                fields=["created_at"],
                condition=Q(state="dead", resolved_at__isnull=True),
                name="notification_dead",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.kind} to {self.to}"
