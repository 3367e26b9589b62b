"""The client under Stripe's library: what was not sent, what may have been, and nothing twice."""

import os
import socket
import threading
from collections.abc import Iterator

import pytest
import stripe

from apps.payments.stripe_http import CurlClient, NotSent

OK = b"HTTP/1.1 200 OK\r\nRequest-Id: req_1\r\nContent-Length: 2\r\n\r\n{}"


class Scripted:
    """A server that answers by a list: bytes to send, or None to hang up after reading."""

    def __init__(self, *answers: bytes | None) -> None:
        self._answers = list(answers)
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port = self._listening.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}/v1/things"
        self.requests: list[bytes] = []
        self.connections = 0
        self.last_one_out = False  # stop listening with the last answer
        threading.Thread(target=self._serve, daemon=True).start()

    def close(self) -> None:
        self._listening.close()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._listening.accept()
            except OSError:
                return
            self.connections += 1
            threading.Thread(target=self._speak, args=[connection], daemon=True).start()

    def _speak(self, connection: socket.socket) -> None:
        with connection:
            self._converse(connection)

    def _converse(self, connection: socket.socket) -> None:
        while request := connection.recv(65536):
            while not complete(request):
                request += connection.recv(65536)
            self.requests.append(request)
            answer = self._answers.pop(0)
            if self.last_one_out and not self._answers:
                self._listening.close()
            if answer is None:
                return
            connection.sendall(answer)


def complete(request: bytes) -> bool:
    head, gap, body = request.partition(b"\r\n\r\n")
    lengths = [
        int(line.split(b":")[1])
        for line in head.lower().split(b"\r\n")
        if line.startswith(b"content-length")
    ]
    return bool(gap) and len(body) >= sum(lengths)


@pytest.fixture
def client() -> Iterator[CurlClient]:
    client = CurlClient(connect_timeout_s=0.5, read_timeout_s=0.5)
    yield client
    client.close()


def test_request_and_answer_whole(client: CurlClient) -> None:
    server = Scripted(OK, OK, OK, OK)
    headers = {"Authorization": "Bearer sk", "Idempotency-Key": "k1"}
    body, status, answered = client.request("post", server.url, headers, "amount=1&name=%C3%B6")
    assert (body, status, answered["request-id"]) == ("{}", 200, "req_1")
    client.request("get", server.url, headers)
    client.request("delete", server.url, headers)
    client.request("post", server.url, headers, "")
    posted, got, deleted, empty = server.requests
    assert posted.startswith(b"POST /v1/things HTTP/1.1\r\n")
    assert b"\r\nIdempotency-Key: k1\r\n" in posted
    assert b"\r\nExpect" not in posted
    assert posted.endswith(b"\r\n\r\namount=1&name=%C3%B6")
    assert got.startswith(b"GET /v1/things HTTP/1.1\r\n")
    assert deleted.startswith(b"DELETE /v1/things HTTP/1.1\r\n")
    assert empty.startswith(b"POST ") and b"\r\nContent-Length: 0\r\n" in empty
    server.close()


def test_connection_is_kept(client: CurlClient) -> None:
    server = Scripted(OK, OK, OK)
    for _ in range(3):
        client.request("post", server.url, {}, "a=1")
    assert server.connections == 1
    server.close()


@pytest.mark.parametrize("body", ["a=1", ""], ids=["with a body", "without"])
def test_kept_connection_that_dies_is_no_reason_to_send_again(
    client: CurlClient, body: str
) -> None:
    """libcurl would repeat on a new connection, and no row had the repetition written down."""
    server = Scripted(OK, None, OK)
    client.request("post", server.url, {}, "a=0")
    with pytest.raises(stripe.APIConnectionError) as lost:
        client.request("post", server.url, {}, body)
    assert not isinstance(lost.value, NotSent)
    assert len(server.requests) == 2
    server.close()


def test_what_was_sent_and_cannot_connect_again_was_sent(client: CurlClient) -> None:
    server = Scripted(OK, None)
    server.last_one_out = True
    client.request("post", server.url, {}, "a=0")
    with pytest.raises(stripe.APIConnectionError) as lost:
        client.request("post", server.url, {}, "a=1")
    assert not isinstance(lost.value, NotSent)


def test_reset_and_silence_leave_it_open(client: CurlClient) -> None:
    server = Scripted(None, b"")
    for _ in range(2):
        with pytest.raises(stripe.APIConnectionError) as lost:
            client.request("post", server.url, {}, "a=1")
        assert not isinstance(lost.value, NotSent)
    server.close()


def test_silence_on_a_kept_connection_leaves_it_open(client: CurlClient) -> None:
    server = Scripted(OK, b"")
    client.request("post", server.url, {}, "a=0")
    with pytest.raises(stripe.APIConnectionError) as lost:
        client.request("post", server.url, {}, "a=1")
    assert not isinstance(lost.value, NotSent)
    server.close()


@pytest.mark.parametrize("url", ["http://127.0.0.1:9/", "http://no-such-host.invalid/"])
def test_connection_refused_is_not_sent(client: CurlClient, url: str) -> None:
    with pytest.raises(NotSent):
        client.request("post", url, {}, "a=1")


def test_forked_child_opens_its_own_connection(client: CurlClient) -> None:
    server = Scripted(OK, OK, OK)
    client.request("post", server.url, {}, "from=parent")
    before = client._curl()
    child = os.fork()
    if child == 0:
        os._exit(0 if client._curl() is not before else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    client.request("post", server.url, {}, "from=parent")
    assert server.connections == 1
    server.close()
