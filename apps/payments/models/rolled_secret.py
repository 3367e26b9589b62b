"""A webhook secret that was replaced and is valid for some time yet."""

from django.db import models


class RolledSecret(models.Model):
    """The secret in dj-stripe's row of an endpoint is the newest; this is one before it.

    It has no page in the back office: whoever knows it can sign events.
    """

    endpoint = models.UUIDField(db_index=True, help_text="the endpoint's UUID, from the address")
    secret = models.CharField(max_length=256)
    valid_until = models.DateTimeField()

    def __str__(self) -> str:
        return f"{self.endpoint} until {self.valid_until:%Y-%m-%d %H:%M}"
