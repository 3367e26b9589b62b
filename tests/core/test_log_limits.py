"""No client can fill the logs: lines are short, and few of a kind."""

import io
import logging
import logging.config
from collections.abc import Iterator

import pytest
from django.conf import settings
from django.test import Client

from apps.core import log_limits


@pytest.fixture(autouse=True)
def empty_redis() -> None:
    """No Redis is needed here."""


@pytest.fixture
def log(monkeypatch: pytest.MonkeyPatch) -> Iterator[io.StringIO]:
    """The root logger as the settings make it, written into memory."""
    written = io.StringIO()
    config = settings.LOGGING | {
        "handlers": {"console": settings.LOGGING["handlers"]["console"] | {"stream": written}}
    }
    logging.config.dictConfig(config)
    yield written
    logging.config.dictConfig(settings.LOGGING)


class Clock:
    now = 1000.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(log_limits, "time", clock)
    return clock


def forged_hosts(number: int, length: int = 10) -> None:
    client = Client()
    for _ in range(number):
        assert client.get("/", headers={"host": "x" * length + "!"}).status_code == 400


def test_a_forged_host_is_logged_so_often_and_then_counted(log: io.StringIO, clock: Clock) -> None:
    forged_hosts(500)
    lines = [line for line in log.getvalue().splitlines() if " ERROR django.security" in line]
    assert len(lines) == log_limits.LINES_PER_WINDOW
    assert "[more like this are left out for up to 60 s]" in lines[-1]

    clock.now += log_limits.WINDOW_SECONDS
    forged_hosts(1)

    left_out = 500 - log_limits.LINES_PER_WINDOW
    (line,) = [line for line in log.getvalue().splitlines() if "left out before it" in line]
    assert f"[{left_out} more like this were left out before it] Invalid HTTP_HOST" in line


def test_what_a_stranger_sends_is_cut(log: io.StringIO, clock: Clock) -> None:
    forged_hosts(1, length=60_000)
    assert "Invalid HTTP_HOST" in log.getvalue()
    # django.security's traceback repeats the host: it is cut as well.
    most = log_limits.MESSAGE_CHARACTERS_MAX + log_limits.TRACEBACK_CHARACTERS_MAX + 1000
    assert len(log.getvalue()) < most


def test_a_long_path_is_cut(log: io.StringIO, clock: Clock) -> None:
    client = Client(enforce_csrf_checks=True)
    assert client.post("/p/" + "x" * 60_000 + "/").status_code == 403
    assert "Forbidden (CSRF cookie not set.): /p/xxx" in log.getvalue()
    assert len(log.getvalue()) < 2 * log_limits.MESSAGE_CHARACTERS_MAX


def test_one_frequent_line_hides_no_other(log: io.StringIO, clock: Clock) -> None:
    logger = logging.getLogger("apps.payments.webhooks")

    def fail(words: str) -> None:
        try:
            raise ValueError(words) if words == "often" else KeyError(words)
        except (ValueError, KeyError):
            logger.exception("could not")

    for _ in range(100):
        fail("often")
    logger.warning("another line")
    fail("once")

    assert log.getvalue().count("ValueError: often") == log_limits.LINES_PER_WINDOW
    assert "another line" in log.getvalue()
    assert "KeyError: 'once'" in log.getvalue()


def test_a_secret_at_the_cut_is_redacted_before_it_is_cut(log: io.StringIO, clock: Clock) -> None:
    half = log_limits.MESSAGE_CHARACTERS_MAX // 2
    secret = "pi_3Qabcdefgh_secret_ijklmnopqrstuvwxyz"
    logging.getLogger("apps").warning("%s %s %s", "x" * (half - 20), secret, "y" * 5_000)
    assert "secret_" not in log.getvalue()
    assert "characters …]" in log.getvalue()


def test_a_broken_log_line_is_still_written(log: io.StringIO, clock: Clock) -> None:
    for _ in range(log_limits.LINES_PER_WINDOW):
        logging.getLogger("apps").warning("%d units", "many")
    assert log.getvalue().count("%d units ('many',)") == log_limits.LINES_PER_WINDOW
