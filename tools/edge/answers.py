"""What the edge answers itself: errors, as a page or as a problem document."""

import json
from pathlib import Path
from string import Template
from typing import Any

from apps.core import problems
from tools.edge.limits import BODY_BYTES

Json = dict[str, Any]
ALLOW_NOTHING = "default-src 'none'; frame-ancestors 'none'"


def hide_server_name() -> Json:
    return {
        "handle": [
            {"handler": "headers", "response": {"deferred": True, "delete": ["Server", "Via"]}}
        ]
    }


def errors(page: Path) -> list[Json]:
    """A page for people, a problem document for programs; neither shows internals."""
    template = Template(page.read_text())
    too_large = _answers(
        template.substitute(
            title="That was too much at once.",
            text="What was sent is larger than anything this page takes. Nothing was changed.",
            address="/",
            link="To the shop",
        ),
        status=413,
        problem=("too_large", f"A body may have {BODY_BYTES} bytes."),
    )
    away = _answers(
        template.substitute(
            title="The shop is back in a moment.",
            text="We could not serve this page just now. If you had just placed an order, try"
            " again: it is either there or was never made, and no card is charged twice.",
            address="",
            link="Try again",
        ),
        status=503,
        problem=("overloaded", "The shop is busy. Try again in a moment."),
        retry_after="2",
    )
    return [
        hide_server_name(),
        # The length of a chunked body is known at its end only. The shop has the request by then,
        # and has closed the connection.
        {
            "match": [
                {"expression": "{http.error.status_code} == 413"},
                {
                    "header": {"Transfer-Encoding": ["*"]},
                    "expression": "{http.error.message}.matches('too large|broken pipe|reset by')",
                },
            ],
            "handle": [too_large],
            "terminal": True,
        },
        {
            "match": [{"expression": "{http.error.status_code} >= 500"}],
            "handle": [away],
            "terminal": True,
        },
        {"handle": [{"handler": "static_response", "status_code": "400"}]},
    ]


def _answers(page: str, *, status: int, problem: tuple[str, str], retry_after: str = "") -> Json:
    code, detail = problem
    document = json.dumps(problems.body(status, code, detail))
    common = {"Cache-Control": ["no-store"], "X-Content-Type-Options": ["nosniff"]}
    if retry_after:
        common["Retry-After"] = [retry_after]

    def answer(kind: str, policy: str, body: str) -> Json:
        headers = common | {"Content-Type": [kind], "Content-Security-Policy": [policy]}
        return {
            "handler": "static_response",
            "status_code": str(status),
            "headers": headers,
            "body": body,
        }

    page_policy = "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'"
    # Caddy would read braces as placeholders.
    text = page.replace("{", r"\{")
    return {
        "handler": "subroute",
        "routes": [
            {
                "match": [{"path": ["/api/*", "/stripe/*"]}],
                "handle": [
                    answer("application/problem+json", ALLOW_NOTHING, document.replace("{", r"\{"))
                ],
                "terminal": True,
            },
            {"handle": [answer("text/html; charset=utf-8", page_policy, text)]},
        ],
    }
