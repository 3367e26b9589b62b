"""The second factor of staff: a code from an app on their phone, or a backup code.

django-otp keeps the devices, throttles guesses (each wrong code doubles the wait, in PostgreSQL)
and accepts no code twice. This module adds:

* one device and one set of backup codes for each person;
* a typed code is tried at the device whose format it has, never at both: a backup code must not
  count as a wrong guess at the phone's code;
* the wait stops growing after `WAIT_STEPS` doublings. Otherwise a stranger who knows the password
  could lock the owner out for weeks. With one try each 8.5 minutes, one of the three codes that are
  valid at a time is found in five years on average;
* backup codes are stored as keyed digests: a copy of the database does not reveal them.

Setting a factor up is in enrolment.py.
"""

import math
import unicodedata
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.db import transaction
from django.utils import timezone
from django.utils.crypto import salted_hmac
from django_otp.plugins.otp_static.models import StaticDevice, StaticToken
from django_otp.plugins.otp_totp.models import TOTPDevice

WAIT_STEPS = 10
# Characters that are not confused with each other; ten of them are 49 bits.
ALPHABET = "abcdefghjkmnpqrstuvwxyz23456789"
CODE_SALT = "storefront.backup-code"


@dataclass(frozen=True, slots=True)
class Answer:
    """Whether a code was right; `wait`: seconds before the next one is looked at."""

    right: bool
    wait: int = 0


@dataclass(frozen=True, slots=True)
class State:
    """Since when a person has a second factor, and how many backup codes are left."""

    since: Any
    backup_codes: int


def device_id(user: Any) -> int | None:
    """The id of this person's device, or None. One query."""
    return _phones(user).values_list("pk", flat=True).first()


def state(user: Any) -> State | None:
    """What this person has set up, or None."""
    phone = _phones(user).first()
    if phone is None:
        return None
    return State(phone.created_at, StaticToken.objects.filter(device__user=user).count())


def verify(user: Any, typed: str) -> Answer:
    """Try a code. A right one is used up."""
    text = normalized(typed)
    with transaction.atomic():
        # The lock makes the same code right only once when it is sent twice at the same time.
        phone = _phones(user).select_for_update().first()
        if phone is None:
            return Answer(False)
        if len(text) == phone.digits and text.isdigit():
            return _try(phone, text)
        backup = StaticDevice.objects.select_for_update().filter(user=user).first()
        if backup is None:
            return Answer(False)
        digests = code_digests(user, text)
        stored = backup.token_set.filter(token__in=digests).values_list("token", flat=True).first()
        return _try(backup, stored or digests[0])


def _try(device: Any, token: str) -> Answer:
    allowed, why = device.verify_is_allowed()
    if not allowed:
        left = (why["locked_until"] - timezone.now()).total_seconds()
        return Answer(False, max(1, math.ceil(left)))
    if device.verify_token(token):
        return Answer(True)
    if device.throttling_failure_count > WAIT_STEPS:
        device.throttling_failure_count = WAIT_STEPS
        device.save(update_fields=["throttling_failure_count"])
    return Answer(False)


def _phones(user: Any) -> Any:
    return TOTPDevice.objects.filter(user=user, confirmed=True).order_by("-pk")


def normalized(typed: str) -> str:
    """The code without blanks and dashes, in lower case, with ASCII digits."""
    text = unicodedata.normalize("NFKC", typed[:64]).lower()
    return "".join(character for character in text if character in f"{ALPHABET}01ilo")


def code_digests(user: Any, code: str) -> list[str]:
    """A backup code as it is stored: under the current key first, then under the fallback keys."""
    return [
        salted_hmac(CODE_SALT, f"{user.pk}:{code}", secret=key, algorithm="sha256").hexdigest()[:16]
        for key in (settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS)
    ]
