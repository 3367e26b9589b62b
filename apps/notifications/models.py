"""The outbox for mail: one row per order, kind and `about`, so that a message is sent once.

Mail of an account (a new password) has no order, and may be requested again, up to its cap.
"""

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now


class Notification(models.Model):
    """A message to a shopper: due, sent, given up (dead letter) or not to be sent (suppressed)."""

    class State(models.TextChoices):
        DUE = "due"
        SENT = "sent"
        DEAD = "dead"
        SUPPRESSED = "suppressed"  # over a cap, or too early to write to this address

    order_id = models.UUIDField(null=True, blank=True)
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
    mailbox = models.CharField(
        max_length=254,
        blank=True,
        db_default="",
        help_text="whose it is, whatever the spelling of the address; what its caps count",
    )
    state = models.CharField(max_length=12, choices=State, default=State.DUE)
    attempts = models.PositiveSmallIntegerField(default=0)
    crashed_claims = models.PositiveSmallIntegerField(
        db_default=0, help_text="claims in a row that ended without a result: its worker died"
    )
    due_at = models.DateTimeField(db_default=Now())
    last_error = models.CharField(max_length=255, blank=True)
    created_at = models.DateTimeField(db_default=Now())
    admitted_at = models.DateTimeField(
        null=True, blank=True, help_text="when the mailbox's cap let it through"
    )
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
            models.Index(
                fields=["mailbox", "kind", "admitted_at"],
                condition=Q(admitted_at__isnull=False),
                name="notification_admitted",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.kind} to {self.to}"
