"""With a shortcut and without it, every request gets the same status, headers and body."""

from collections.abc import Iterator
from typing import Any

import pytest

from apps.fastpath import http, product_pages
from apps.fastpath.api import ApiShortcut
from apps.fastpath.checkout import CheckoutShortcut
from apps.fastpath.http import Answer, Shortcut
from apps.fastpath.pages import PageShortcut
from apps.fastpath.webhook import WebhookShortcut
from apps.web import shared_pages
from tests.fastpath.api_cases import API_CASES
from tests.fastpath.checkout_cases import CHECKOUT_CASES
from tests.fastpath.page_cases import PAGE_CASES
from tests.fastpath.parity import Case, Got, both, deployed
from tests.fastpath.webhook_cases import WEBHOOK_CASES
from tests.fastpath.world import World

pytestmark = pytest.mark.usefixtures("open_shop")

CASES: dict[type[Shortcut], list[Case]] = {
    ApiShortcut: API_CASES,
    CheckoutShortcut: CHECKOUT_CASES,
    PageShortcut: PAGE_CASES,
    WebhookShortcut: WEBHOOK_CASES,
}


def assert_same(with_shortcuts: Got, without: Got) -> None:
    assert with_shortcuts.status == without.status
    assert with_shortcuts.headers == without.headers
    assert with_shortcuts.body == without.body


@pytest.fixture
def world(open_shop: None, settings: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    """A shop with the settings of a deployment, in which no page is shared for a moment."""
    monkeypatch.setattr(product_pages, "SHARED_SECONDS", 0.0)
    monkeypatch.setattr(shared_pages, "FRESH_SECONDS", 60.0)  # a list that was made stays
    with deployed(settings) as django:
        yield World(django())


@pytest.mark.parametrize(
    ("shortcut", "case"),
    [
        pytest.param(shortcut, case, id=f"{shortcut.__name__}: {case}")
        for shortcut, cases in CASES.items()
        for case in cases
    ],
)
def test_answer_is_the_same_with_the_shortcut_and_without(
    shortcut: type[Shortcut], case: Case, world: World
) -> None:
    pair = both(case, world, shortcut)

    assert_same(pair.with_shortcuts, pair.without)
    assert pair.without.status.startswith(str(case.status))
    assert pair.passed_on == (0 if case.answered else 1)


@pytest.mark.parametrize("case", [pytest.param(case, id=str(case)) for case in CHECKOUT_CASES])
def test_checkout_gets_the_same_answer_from_the_api_without_its_shortcut(
    case: Case, world: World
) -> None:
    pair = both(case, world, ApiShortcut)

    assert_same(pair.with_shortcuts, pair.without)
    assert pair.without.status.startswith(str(case.status))


def test_shortcuts_together_give_the_answer_too(world: World) -> None:
    for case in (CHECKOUT_CASES[0], API_CASES[0], PAGE_CASES[0], WEBHOOK_CASES[0]):
        pair = both(case, world)

        assert_same(pair.with_shortcuts, pair.without)
        assert pair.passed_on == 0


def test_every_shortcut_has_cases_that_it_answers_and_cases_that_it_passes_on() -> None:
    assert set(CASES) == set(Shortcut.__subclasses__())
    for cases in CASES.values():
        assert {case.answered for case in cases} == {True, False}


# --- The test above can fail ----------------------------------------------------------------------


def _named(cases: list[Case], name: str) -> Case:
    return next(case for case in cases if case.name == name)


class WithoutAHeader(CheckoutShortcut):
    def answer(self, *asked: Any) -> Answer | None:
        answer = super().answer(*asked)
        return answer and answer._replace(
            headers=[each for each in answer.headers if each[0] != "Cache-Control"]
        )


class WithOtherWords(CheckoutShortcut):
    def answer(self, *asked: Any) -> Answer | None:
        answer = super().answer(*asked)
        return answer and answer._replace(body=answer.body + b" ")


class WithAnotherStatus(CheckoutShortcut):
    def answer(self, *asked: Any) -> Answer | None:
        answer = super().answer(*asked)
        return answer and answer._replace(status=200)


class BeforeItsChecks(CheckoutShortcut):
    """Sold out to each request that names the SKU: a shortcut that only looks at the body."""

    def __call__(self, environ: Any, start_response: Any) -> Any:
        plain = {"HTTP_HOST": "shop.example", "HTTP_X_FORWARDED_PROTO": "https"}
        return super().__call__(environ | plain, start_response)


@pytest.mark.parametrize("drifted", [WithoutAHeader, WithOtherWords, WithAnotherStatus])
@pytest.mark.parametrize("name", ["guest", "sold out", "waiting room"])
def test_shortcut_that_has_drifted_is_found(
    drifted: type[Shortcut], name: str, world: World
) -> None:
    pair = both(_named(CHECKOUT_CASES, name), world, drifted)

    with pytest.raises(AssertionError):
        assert_same(pair.with_shortcuts, pair.without)


@pytest.mark.parametrize("name", ["unknown host, sold out", "http, sold out"])
def test_shortcut_that_answers_before_its_checks_is_found(name: str, world: World) -> None:
    pair = both(_named(CHECKOUT_CASES, name), world, BeforeItsChecks)

    with pytest.raises(AssertionError):
        assert_same(pair.with_shortcuts, pair.without)


@pytest.mark.parametrize("cases", [CHECKOUT_CASES, PAGE_CASES, WEBHOOK_CASES])
def test_missing_security_headers_are_found(
    cases: list[Case], world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(http, "security_headers", lambda *_: ())
        pair = both(next(case for case in cases if case.answered), world)

    with pytest.raises(AssertionError):
        assert_same(pair.with_shortcuts, pair.without)
