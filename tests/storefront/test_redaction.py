"""What may never stand in a log."""

import logging

import pytest

from storefront.redaction import RedactFilter, redact

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
    ],
)
def test_secrets_are_taken_out(secret):
    told = redact(f"asked with {secret} and failed")

    assert told == "asked with [secret] and failed"


def test_what_is_no_secret_stays():
    told = "order 0190a000-0000-7000-8000-000000000001: pi_3abc declined, 12 attempts in 4.5 s"
    assert redact(told) == told


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
            told = logged("it failed", exc_info=True)

        assert "ValueError: no such key: [secret]" in told
        assert "a" * 32 not in told

    def test_redacts_the_stack(self, logged):
        told = logged("whsec_dddddddddddddddddddddddd", stack_info=True)

        assert "test_redacts_the_stack" in told
        assert "whsec_d" not in told

    @pytest.mark.parametrize(
        ("message", "args"), [("%d apples", ("many",)), ("%s and %s", ("one",)), ("100 %", (1,))]
    )
    def test_badly_put_line_is_logged_and_not_raised(self, logged, message, args):
        """A slip in a log line must not turn an order away."""
        assert message in logged(message, *args)

    def test_every_handler_of_the_shop_redacts(self, settings):
        for handler in settings.LOGGING["handlers"].values():
            assert handler["filters"] == ["redact"]
