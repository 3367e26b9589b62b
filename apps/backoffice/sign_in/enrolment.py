"""Setting up, replacing and resetting a person's second factor, and their backup codes.

Each change is written to the log of decisions, in the same transaction.
"""

import secrets
import time
from typing import Any

from django.contrib.auth import get_user_model
from django.core import signing
from django.db import transaction
from django_otp.oath import TOTP
from django_otp.plugins.otp_static.models import StaticDevice, StaticToken
from django_otp.plugins.otp_totp.models import TOTPDevice, default_key

from apps.backoffice import decision_log
from apps.backoffice.sign_in.second_factor import ALPHABET, code_digests, normalized

KIND = "second-factor"  # in the log of decisions
BACKUP_CODES = 10
SETUP_SECONDS = 1800
SETUP_SALT = "storefront.second-factor-setup"


def new_setup(user: Any) -> str:
    """A new secret for this person's phone, signed.

    The form keeps it, no table does: a setup that is not finished leaves nothing behind.
    """
    return signing.dumps({"key": default_key(), "user": user.pk}, salt=SETUP_SALT)


def device_of_setup(user: Any, setup: str) -> TOTPDevice | None:
    """The unsaved device that `setup` describes; None if it is too old or another person's."""
    try:
        kept = signing.loads(setup, salt=SETUP_SALT, max_age=SETUP_SECONDS)
    except signing.BadSignature:
        return None
    if kept["user"] != user.pk:
        return None
    return TOTPDevice(user=user, name="phone", key=kept["key"])


def enrol(user: Any, device: TOTPDevice, typed: str) -> list[str] | None:
    """Make `device` this person's second factor if `typed` is its code; returns new backup codes.

    Replaces what was there before. When the code is wrong: None, and nothing is changed.
    """
    text = normalized(typed)
    totp = TOTP(device.bin_key, device.step, device.t0, device.digits)
    totp.time = time.time()
    if not text.isdigit() or not totp.verify(int(text), device.tolerance):
        return None
    device.last_t = totp.t()  # The code is used up: it cannot be used to sign in as well.
    with transaction.atomic():
        # Of two setups at the same time the last one counts, with the backup codes it shows.
        get_user_model().objects.select_for_update().get(pk=user.pk)
        before, _ = TOTPDevice.objects.filter(user=user).delete()
        device.save()
        decision_log.record(
            KIND,
            user.email,
            "replaced" if before else "set up",
            actor=user.email,
            reason="with a code from their phone",
        )
        return _replace_codes(user)


def new_backup_codes(user: Any) -> list[str]:
    """New backup codes; the earlier ones are invalid from now on."""
    with transaction.atomic():
        get_user_model().objects.select_for_update().get(pk=user.pk)
        decision_log.record(
            KIND, user.email, "new codes", actor=user.email, reason="asked for new backup codes"
        )
        return _replace_codes(user)


def reset(user: Any, *, actor: str, reason: str) -> bool:
    """Remove the second factor; False when there is none.

    Sessions that were opened with it lose access to the back office (staff_session.py).
    """
    with transaction.atomic():
        found, _ = TOTPDevice.objects.filter(user=user).delete()
        StaticDevice.objects.filter(user=user).delete()
        if found:
            decision_log.record(KIND, user.email, "reset", actor=actor, reason=reason)
        return bool(found)


def _replace_codes(user: Any) -> list[str]:
    StaticDevice.objects.filter(user=user).delete()
    codes = ["".join(secrets.choice(ALPHABET) for _ in range(10)) for _ in range(BACKUP_CODES)]
    backup = StaticDevice.objects.create(user=user, name="backup codes")
    StaticToken.objects.bulk_create(
        StaticToken(device=backup, token=code_digests(user, code)[0]) for code in codes
    )
    return [f"{code[:5]}-{code[5:]}" for code in codes]
