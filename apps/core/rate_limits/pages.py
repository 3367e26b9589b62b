"""The decorator that counts the writes of Django's pages and answers 429."""

from collections.abc import Callable
from functools import wraps
from typing import Any

from django.http import HttpRequest, HttpResponse

from apps.core.rate_limits import counting
from apps.core.rate_limits.counting import LimitReached
from apps.core.rate_limits.subjects import by_address, by_user
from apps.core.rate_limits.table import WRITES_OF_ADDRESS, WRITES_OF_USER, Limit

Rule = tuple[Limit, Callable[[HttpRequest], str | int | None]]

# What every page that writes begins with; those that write to a cart count it as well.
WRITES: tuple[Rule, ...] = ((WRITES_OF_ADDRESS, by_address), (WRITES_OF_USER, by_user))


def limited(
    *rules: Rule,
    answer: Callable[[HttpRequest, LimitReached], HttpResponse],
    methods: frozenset[str] = frozenset({"POST", "PUT", "PATCH", "DELETE"}),
) -> Callable:
    """Decorate a page's view: count its `methods` by `rules`, answer a reached limit by `answer`.

    `@limited((LOGINS_OF_ADDRESS, by_address), answer=too_many)`; the headers of the 429 are added
    here, `answer` only renders the page. Limits that the view counts itself, because only it knows
    the cart or whether a token was wrong, are answered here as well.
    """

    def decorate(view: Callable[..., HttpResponse]) -> Callable[..., HttpResponse]:
        @wraps(view)
        def counted(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
            try:
                if request.method in methods:
                    for limit, subject_of in rules:
                        if (subject := subject_of(request)) is not None:
                            counting.count(limit, subject)
                return view(request, *args, **kwargs)
            except LimitReached as reached:
                response = answer(request, reached)
                for name, value in reached.headers.items():
                    response[name] = value
                return response

        return counted

    return decorate
