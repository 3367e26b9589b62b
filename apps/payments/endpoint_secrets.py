"""The secrets that sign the webhooks of an endpoint: the newest, and those valid beside it.

Stripe tells a secret once, when the endpoint is created. One that is rolled in its dashboard is
told to the person there, who hands it on (`manage.py webhook_secret`). For up to a day Stripe signs
with the old and the new one, and both are good here.
"""

import logging
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from django.db import transaction
from django.db.models.functions import Now
from django.utils import timezone
from djstripe.models import WebhookEndpoint

from apps.payments.models import RolledSecret

logger = logging.getLogger(__name__)

LONGEST_OVERLAP = timedelta(days=1)  # that Stripe offers


class NotASecret(ValueError):
    """What was handed on is no webhook secret."""


@dataclass(frozen=True, slots=True)
class EndpointSecrets:
    """What a webhook for one endpoint is verified with. `tolerance` is in seconds."""

    secrets: tuple[str, ...]
    tolerance: int
    livemode: bool


def of_endpoint(uuid: UUID) -> EndpointSecrets | None:
    """The secrets of the endpoint with this UUID, the newest first; None where there is none."""
    row = (
        WebhookEndpoint.objects.filter(djstripe_uuid=uuid)
        .values_list("secret", "djstripe_tolerance", "livemode")
        .first()
    )
    if not row or not row[0]:
        return None  # with an empty secret everybody could sign
    older = RolledSecret.objects.filter(endpoint=uuid, valid_until__gt=Now())
    secrets = (row[0], *older.order_by("-valid_until").values_list("secret", flat=True))
    return EndpointSecrets(secrets, row[1], bool(row[2]))


def roll(endpoint: WebhookEndpoint, new: str, *, old_for: timedelta) -> bool:
    """Take `new` as the endpoint's secret, and the present one for `old_for` beside it.

    False when it is the present one already. Web processes use it from the next webhook on. Raises
    NotASecret.
    """
    if not new.startswith("whsec_") or len(new) < 20 or not new.isascii() or len(new) > 256:
        raise NotASecret("expected a webhook secret of Stripe's, whole (whsec_…)")
    with transaction.atomic():
        row = WebhookEndpoint.objects.select_for_update().get(pk=endpoint.pk)
        if row.secret == new:
            return False
        RolledSecret.objects.filter(valid_until__lte=Now()).delete()
        RolledSecret.objects.filter(endpoint=row.djstripe_uuid, secret=new).delete()
        if old_for > timedelta(0) and row.secret:
            RolledSecret.objects.create(
                endpoint=row.djstripe_uuid,
                secret=row.secret,
                valid_until=timezone.now() + min(old_for, LONGEST_OVERLAP),
            )
        WebhookEndpoint.objects.filter(pk=row.pk).update(secret=new)
    logger.info("webhook endpoint %s: a new secret, the old one for %s", row.id, old_for)
    return True
