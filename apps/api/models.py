"""What the API itself remembers: the answers to requests that were sent with an Idempotency-Key."""

from django.db import models
from django.db.models.functions import Now


class KeptAnswer(models.Model):
    """The answer to a request that changed something, for when it is sent again (idempotency.py).

    Checkouts keep theirs with the order (orders.IdempotencyKey).
    """

    name = models.CharField(
        max_length=64, primary_key=True, help_text="SHA-256 of whose key it is, and of the key"
    )
    # Keyed with SECRET_KEY: the body may hold a password, and this row must not help to guess it.
    fingerprint = models.BinaryField(max_length=32)
    status = models.PositiveSmallIntegerField()
    headers = models.JSONField(default=dict)
    body = models.TextField(help_text="JSON, without what must not be kept")
    created_at = models.DateTimeField(db_default=Now(), db_index=True)

    def __str__(self) -> str:
        return self.name[:12]
