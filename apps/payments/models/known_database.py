"""The database that may move money at the gateway."""

import uuid

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now


class KnownDatabase(models.Model):
    """One row: which database this is, and where it was when a person, or its first start, said so.

    A copy has this row, too, and stands elsewhere: so it knows itself for a copy
    (database_identity.py).
    """

    only_row = models.BooleanField(primary_key=True, default=True)
    identity = models.UUIDField(
        default=uuid.uuid4, help_text="the gateway keeps it with the webhook endpoint"
    )
    place = models.CharField(
        max_length=64, blank=True, help_text="digest of server, database and address"
    )
    place_name = models.CharField(max_length=255, blank=True, help_text="the same, for people")
    other_claims = models.CharField(
        max_length=255, blank=True, help_text="another database has this shop's address there"
    )
    known_since = models.DateTimeField(db_default=Now())
    confirmed_at = models.DateTimeField(
        null=True, blank=True, help_text="a person said that this copy is the shop now"
    )
    confirmed_by = models.CharField(max_length=254, blank=True)

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(only_row=True), name="one_known_database")
        ]

    def __str__(self) -> str:
        return f"{self.identity} at {self.place_name}"
