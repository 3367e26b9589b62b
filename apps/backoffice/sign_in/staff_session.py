"""How long the back office stays open for a person who signed in, and what they showed for it.

A session of the shop lasts two weeks; access to the back office inside it ends sooner. The session
keeps under `KEY`:

    proved    when the password was given last (and the code, where there is a second factor)
    seen      when the back office was used last; written at most every `SEEN_STEP`, so that a page
              of the back office does not cost a write of its own
    device    the id of the second factor that was shown; None: the password alone
    rights    a digest of the person's permissions at that time

`needed` compares these with the present. When access to the back office ends, the person stays
signed in to the shop as a customer, which every account is: being staff gives no access there.
"""

import hashlib
import time
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.http import HttpRequest

from apps.backoffice.sign_in import second_factor

KEY = "office"
SEEN_STEP = timedelta(minutes=1)
# The clocks of two machines may differ by this much. A time further in the future is not accepted.
SKEW = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Needed:
    """What a person has to show before the page opens."""

    password: bool = False
    code: bool = False
    enrolment: bool = False

    @property
    def proof(self) -> bool:
        """Whether a password or a code has to be typed first."""
        return self.password or self.code


def now() -> float:
    """Seconds since the epoch; tests replace it."""
    return time.time()


def is_staff(request: HttpRequest) -> bool:
    """Whether an active staff account is signed in."""
    user: Any = getattr(request, "user", None)
    return user is not None and user.is_authenticated and user.is_active and user.is_staff


def on_sign_in(sender: Any, request: Any, user: Any, **_: Any) -> None:
    """Receiver of Django's `user_logged_in`: a password was right, on any sign-in page."""
    session = getattr(request, "session", None)
    if session is None:
        return
    if user.is_staff:
        begin(session, user, device=None)
    else:
        session.pop(KEY, None)


def begin(session: Any, user: Any, *, device: int | None) -> None:
    """Record that the person has just given the password, and `device`'s code if one is named."""
    at = now()
    session[KEY] = {"proved": at, "seen": at, "device": device, "rights": _rights(user)}


def code_shown(session: Any, device: int) -> None:
    """Record that the code of `device` was right, after a password that is still recent enough."""
    session[KEY] = {**session[KEY], "device": device, "seen": now()}


def needed(request: HttpRequest, *, fresh: bool = False) -> Needed:
    """What the person still has to show. For staff only; one query (which second factor they have).

    `fresh`: the page moves money or changes rights, so the password has to be recent.
    """
    user: Any = request.user
    mark: Any = request.session.get(KEY)
    device = second_factor.device_id(user)
    enrolment = device is None and settings.STAFF_SECOND_FACTOR
    if not _is_open(mark, user) or (mark["device"] is not None and device is None):
        # In the second case the factor was reset. A person who found this session open must not be
        # able to set up the next factor, so the password is asked for.
        return Needed(password=True, code=device is not None, enrolment=enrolment)
    recent = _within(mark["proved"], settings.STAFF_FRESH_TIME)
    if fresh and not recent:
        return Needed(password=True, code=device is not None, enrolment=enrolment)
    if device is not None and mark["device"] != device:
        return Needed(password=not recent, code=True)
    return Needed(enrolment=enrolment)


def touch(session: Any) -> None:
    """Record that the back office is in use."""
    if not _within(session[KEY]["seen"], SEEN_STEP):
        session[KEY] = {**session[KEY], "seen": now()}


def _is_open(mark: Any, user: Any) -> bool:
    return (
        mark is not None
        and _within(mark["proved"], settings.STAFF_SESSION_TIME)
        and _within(mark["seen"], settings.STAFF_IDLE_TIME)
        and mark["rights"] == _rights(user)
    )


def _within(moment: float, limit: timedelta) -> bool:
    return -SKEW.total_seconds() <= now() - moment <= limit.total_seconds()


def _rights(user: Any) -> str:
    """A digest that changes when any permission is given or taken, by role or directly.

    Django caches a person's permissions for the request, so pages that check permissions anyway
    need no further query for this.
    """
    if user.is_superuser:
        return "superuser"
    return hashlib.sha256(",".join(sorted(user.get_all_permissions())).encode()).hexdigest()[:32]
