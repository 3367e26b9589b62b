"""The progress of the reconciler."""

from django.db import models


class Reconciliation(models.Model):
    """The progress of a comparison with the gateway, so that a run can continue a stopped one.

    Three rows: our open payments and the gateway's recent ones, each minute; everything, each day.
    """

    class Scope(models.TextChoices):
        OPEN = "open"
        RECENT = "recent"
        ALL = "all"

    class Phase(models.TextChoices):
        IDLE = "idle"  # nothing is under way
        PAYMENTS = "payments"  # our open payments, one by one
        DOUBTS = "doubts"  # open discrepancies, one by one
        CHANGED = "changed"  # refunds, cancellations and disputes that the gateway reports
        LISTED = "listed"  # the gateway's list, newest first
        OURS = "ours"  # payments of ours that the list did not show

    scope = models.CharField(primary_key=True, max_length=8, choices=Scope)
    phase = models.CharField(max_length=8, choices=Phase, default=Phase.IDLE)
    cursor = models.CharField(
        max_length=120, blank=True, help_text="the last one compared in this phase"
    )
    since = models.DateTimeField(null=True, blank=True, help_text="the listed span begins")
    until = models.DateTimeField(null=True, blank=True, help_text="the listed span ends")
    changed_since = models.DateTimeField(
        null=True, blank=True, help_text="changes up to here are known"
    )
    compared = models.PositiveIntegerField(default=0)
    settled = models.PositiveIntegerField(default=0)
    untold = models.JSONField(
        default=list, help_text="orders whose payment was settled and whose saga does not know yet"
    )
    failures = models.PositiveIntegerField(default=0, help_text="in a row")
    error = models.CharField(max_length=255, blank=True)
    started_at = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True, help_text="the last whole run")

    def __str__(self) -> str:
        return f"{self.scope} {self.phase}"

    @property
    def is_under_way(self) -> bool:
        return self.phase != self.Phase.IDLE


class SeenIntent(models.Model):
    """A payment that the gateway has listed in the present comparison of everything."""

    intent_id = models.CharField(primary_key=True, max_length=120)

    def __str__(self) -> str:
        return self.intent_id
