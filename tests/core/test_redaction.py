"""What may never stand in a log."""

import logging
import time

import pytest
from django.db import DatabaseError, connection, transaction

from apps.core.redaction import RedactFilter, redact
from apps.customers.models import User

VISA, AMEX = "4242424242424242", "378282246310005"


@pytest.mark.parametrize(
    "text",
    [
        VISA,
        "4242 4242 4242 4242",
        "4242-4242-4242-4242",
        f"my card is {VISA}, thank you",
        AMEX,
        "3782 822463 10005",
        "6011111111111117",
        "4222222222222",  # thirteen digits
        f"a={VISA}&b=1",
        f'{{"note": "{VISA}"}}',
    ],
)
def test_card_numbers_are_taken_out(text):
    assert VISA not in redact(text).replace(" ", "").replace("-", "")
    assert "[number]" in redact(text)


@pytest.mark.parametrize(
    "secret",
    [
        "sk_test_" + "a" * 32,
        "sk_live_" + "B1" * 16,
        "rk_live_" + "c" * 32,
        "whsec_" + "d" * 32,
        "pi_3abc_secret_xyz",
        "eyJhbGciOiJIUzI1NiJ9.eyJ1c2VyIjoxfQ.c2lnbmF0dXJl",
        "argon2$argon2id$v=19$m=102400,t=2,p=8$c2FsdHNhbHQ$aGFzaGhhc2g",
        "pbkdf2_sha256$1000000$c2FsdA$aGFzaGhhc2g=",
    ],
)
def test_secrets_are_taken_out(secret):
    found = redact(f"asked with {secret} and failed")

    assert found == "asked with [secret] and failed"


def test_what_is_no_secret_stays():
    found = "order 0190a000-0000-7000-8000-000000000001: pi_3abc declined, 12 attempts in 4.5 s"
    assert redact(found) == found


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("no mail to alice@example.com", "no mail to [e-mail]"),
        ("550 5.1.1 <a.b+c@mail.example.co>: unknown", "550 5.1.1 <[e-mail]>: unknown"),
        ("postgresql://storefront@127.0.0.1:5432/shop", None),
        ("checkout@host is ready", None),
    ],
)
def test_email_addresses_are_removed(text, expected):
    assert redact(text) == (expected or text)


# --- What PostgreSQL says of the row that it refuses ---------------------------------------------

SECRET_PLACE = "Eve's house\n\nbehind the mill, 3rd floor"


def break_a_unique_key():
    User.objects.create(email="alice@example.com", name="Alice Whose Name")
    User.objects.create(email="alice@example.com", name="Alice Whose Name")


def break_a_not_null():
    ask("INSERT INTO customers_user (email, name) VALUES ('alice', %s)", [SECRET_PLACE])


def mistype():
    ask("SELECT 'behind the mill' FROM nobody WHERE name = %s", [SECRET_PLACE])


def send_no_number():
    ask("SELECT 'behind the mill, Whose'::int")


def send_no_date():
    ask("SELECT '2026-02-31'::date")


def break_in_a_function():
    ask("DO $$ BEGIN PERFORM 'Whose'; INSERT INTO customers_user (email) VALUES ('Whose'); END $$")


def send_too_large_a_number():
    ask("SELECT '99999999999990231'::int")


def ask(statement, values=None):
    with connection.cursor() as cursor:
        cursor.execute(statement, values)


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("do", "stays"),
    [
        (break_a_unique_key, "violates unique constraint"),
        (break_a_not_null, "violates not-null constraint"),
        (mistype, 'relation "nobody" does not exist'),
        (send_no_number, "invalid input syntax for type integer: "),
        (send_no_date, "date/time field value out of range: "),
        (send_too_large_a_number, "is out of range for type integer"),
        (break_in_a_function, "violates not-null constraint"),
    ],
)
def test_error_of_the_database_tells_what_was_broken_and_not_whose(do, stays):
    with pytest.raises(DatabaseError) as broken, transaction.atomic():
        do()
    formatted = logging.Formatter().formatException(broken._excinfo)

    for text in (str(broken.value), repr(broken.value), said_by_python(formatted)):
        found = redact(text)
        assert stays in found
        for value in ("alice", "Whose", "Eve", "behind the mill", "3rd floor", "02-31", "990231"):
            assert value not in found, found


def said_by_python(formatted):
    """A traceback without the lines of our own source, which hold the values of this test."""
    return "\n".join(line for line in formatted.splitlines() if not line.startswith("    "))


@pytest.mark.parametrize(
    "piece",
    ["a", "a ", "a.", "a@", "@1.", "1-", "\n", "DETAIL:  \n\n", "LINE 1: x\n", "pi_", "argon2$",
     "value \"", "invalid input syntax for type a: \"", "date/time field "],
)  # fmt: skip
def test_long_line_of_a_stranger_takes_no_time(piece):
    began = time.thread_time()

    redact(piece * (60_000 // len(piece)))
    redact("DETAIL:  " + piece * (60_000 // len(piece)))

    assert time.thread_time() - began < 1


class TestFilter:
    @pytest.fixture
    def logged(self, caplog):
        """Log by a logger that redacts; what came out at the end."""
        handler = logging.StreamHandler()
        lines: list[str] = []
        handler.emit = lambda record: lines.append(handler.format(record))
        handler.addFilter(RedactFilter())
        logger = logging.Logger("tests.redaction")
        logger.addHandler(handler)

        def log(message, *args, **given):
            logger.warning(message, *args, **given)
            return lines[-1]

        return log

    def test_redacts_what_is_in_the_arguments(self, logged):
        assert logged("refused %s for %d", f"card {VISA}", 7) == "refused card [number] for 7"

    def test_redacts_what_only_together_is_a_number(self, logged):
        assert logged("%s%s", VISA[:8], VISA[8:]) == "[number]"

    def test_redacts_tracebacks(self, logged):
        try:
            raise ValueError(f"no such key: sk_test_{'a' * 32}")
        except ValueError:
            found = logged("it failed", exc_info=True)

        assert "ValueError: no such key: [secret]" in found
        assert "a" * 32 not in found

    def test_redacts_the_stack(self, logged):
        found = logged("whsec_dddddddddddddddddddddddd", stack_info=True)

        assert "test_redacts_the_stack" in found
        assert "whsec_d" not in found

    @pytest.mark.parametrize(
        ("message", "args"), [("%d apples", ("many",)), ("%s and %s", ("one",)), ("100 %", (1,))]
    )
    def test_badly_put_line_is_logged_and_not_raised(self, logged, message, args):
        """A wrong format string must not fail a checkout."""
        assert message in logged(message, *args)

    def test_every_handler_of_the_shop_redacts(self, settings):
        for handler in settings.LOGGING["handlers"].values():
            assert "redact" in handler["filters"]
