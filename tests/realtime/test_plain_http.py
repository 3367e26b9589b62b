"""What the websocket process answers over plain HTTP."""

import asyncio

import pytest

from apps.realtime.routing import application


async def ask(path: str) -> tuple[int, bytes]:
    sent: list[dict] = []

    async def receive() -> dict:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: dict) -> None:
        sent.append(message)

    scope = {"type": "http", "method": "GET", "path": path, "headers": [], "query_string": b""}
    await application(scope, receive, send)
    return sent[0]["status"], sent[1]["body"]


@pytest.mark.parametrize(
    ("path", "status", "body"),
    [
        ("/healthz", 200, b"alive\n"),
        ("/", 404, b"Only websockets live here.\n"),
        ("/healthz/", 404, b"Only websockets live here.\n"),
    ],
)
def test_live_process_says_that_it_is_alive_and_nothing_else(
    path: str, status: int, body: bytes
) -> None:
    assert asyncio.run(ask(path)) == (status, body)
