"""The edge compresses what the API answers, problems and the schema as well as lists."""

import pytest
import requests

from tools.stack import Stack

GZIP = {"Accept-Encoding": "gzip"}
MANY_UNKNOWN = "&".join(f"unknown{n}=1" for n in range(20))


@pytest.mark.parametrize(
    ("path", "status", "kind"),
    [
        ("/api/v1/products/", 200, "application/json"),
        (f"/api/v1/products/?{MANY_UNKNOWN}", 400, "application/problem+json"),
        ("/api/schema/", 200, "application/vnd.oai.openapi"),
    ],
)
def test_long_answers_of_the_api_are_compressed(
    live_stack: Stack, path: str, status: int, kind: str
) -> None:
    plain = requests.get(live_stack.url + path, headers={"Accept-Encoding": ""}, timeout=60)
    with requests.get(live_stack.url + path, headers=GZIP, timeout=60, stream=True) as answer:
        sent = len(answer.raw.read(decode_content=False))

    assert answer.status_code == plain.status_code == status
    assert answer.headers["Content-Type"].startswith(kind)
    assert answer.headers["Content-Encoding"] == "gzip"
    assert "Accept-Encoding" in answer.headers["Vary"]
    assert "Content-Encoding" not in plain.headers
    assert sent * 2 < len(plain.content)


def test_short_answers_are_sent_as_they_are(live_stack: Stack) -> None:
    answer = requests.get(f"{live_stack.url}/api/v1/products/none/", headers=GZIP, timeout=60)

    assert answer.status_code == 404
    assert "Content-Encoding" not in answer.headers


def test_post_without_its_slash_keeps_its_body_through_the_edge(live_stack: Stack) -> None:
    body = {"email": "no account", "password": "x"}

    answer = requests.post(f"{live_stack.url}/api/v1/auth/token", json=body, timeout=60)

    assert [past.status_code for past in answer.history] == [308]
    assert answer.json()["code"] == "authentication_failed"
