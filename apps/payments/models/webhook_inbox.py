"""The inbox of the gateway's events."""

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

MIRROR_ATTEMPTS_MAX = 8  # over some two hours


class WebhookInbox(models.Model):
    """Every verified event, once: stored by the view, applied by a worker, mirrored later."""

    class State(models.TextChoices):
        RECEIVED = "received"
        APPLIED = "applied"
        IGNORED = "ignored"  # about no payment or refund of ours
        QUARANTINED = "quarantined"  # contradicts our books: staff decide
        DEAD = "dead"

    event_id = models.CharField(max_length=120, primary_key=True)
    type = models.CharField(max_length=80)
    payload = models.JSONField()
    state = models.CharField(max_length=12, choices=State, default=State.RECEIVED)
    attempts = models.PositiveSmallIntegerField(default=0)
    crashed_claims = models.PositiveSmallIntegerField(
        db_default=0, help_text="claims in a row that ended without a result: its worker died"
    )
    due_at = models.DateTimeField(db_default=Now())
    error = models.CharField(max_length=255, blank=True)
    endpoint = models.UUIDField(
        null=True, blank=True, help_text="the webhook endpoint's UUID, from the address"
    )
    remote_ip = models.GenericIPAddressField(
        null=True, blank=True, help_text="the sender, where the receiving code knows it"
    )
    received_at = models.DateTimeField(db_default=Now())
    processed_at = models.DateTimeField(null=True, blank=True)
    mirrored_at = models.DateTimeField(null=True, blank=True)
    mirror_attempts = models.PositiveSmallIntegerField(default=0)
    mirror_error = models.CharField(max_length=255, blank=True, db_default="")
    mirror_resolved_at = models.DateTimeField(
        null=True, blank=True, help_text="given up on by a person"
    )
    resolution = models.CharField(max_length=255, blank=True)
    resolved_by = models.CharField(max_length=254, blank=True)
    resolved_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        verbose_name_plural = "webhook inbox"
        indexes = [
            models.Index(fields=["due_at"], condition=Q(state="received"), name="inbox_due"),
            # Only what is still to be mirrored: a row enters when it is applied, so that the
            # INSERT of an arriving webhook does not write to this index.
            models.Index(
                fields=["received_at"],
                condition=Q(
                    mirrored_at__isnull=True,
                    mirror_attempts__lt=MIRROR_ATTEMPTS_MAX,
                    state__in=["applied", "ignored"],
                ),
                name="inbox_unmirrored",
            ),
            models.Index(
                fields=["received_at"],
                condition=Q(state__in=["dead", "quarantined"], resolved_at__isnull=True),
                name="inbox_undecided",
            ),
            models.Index(
                fields=["received_at"],
                condition=Q(
                    mirrored_at__isnull=True,
                    mirror_resolved_at__isnull=True,
                    mirror_attempts__gte=MIRROR_ATTEMPTS_MAX,
                ),
                name="inbox_mirror_failed",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.type} {self.event_id}"
