"""A client that sends slowly blocks only its own connection; all others are answered."""

import time

import pytest

from tests.waiting import until
from tools.faults.slow_clients import (
    closed_within,
    seconds_until_answer,
    slow_bodies,
    slow_heads,
    slow_streams,
)
from tools.stack import Stack
from tools.stack.process_table import web_sockets

pytestmark = pytest.mark.journey

PROMPTLY = 1.0  # seconds
REQUESTS = 6


def request_times(port: int, path: str = "/healthz", *, tls: bool = False) -> list[float]:
    """How long each of REQUESTS requests took, in seconds, half a second apart."""
    host = "localhost" if tls else "127.0.0.1"
    found = []
    for _ in range(REQUESTS):
        found.append(seconds_until_answer(port, path, tls=tls, host=host))
        time.sleep(0.5)
    return found


def test_without_the_edge_slow_bodies_stop_a_web_process(live_stack: Stack) -> None:
    """The control: the attack works. The tests below show that the edge prevents it."""
    address = web_sockets(live_stack.home, 3)[2]
    assert seconds_until_answer(address) < PROMPTLY
    with slow_bodies(address, 60):
        # Each body takes a thread of the 48 there are, as soon as the server has read its head.
        until(
            lambda: seconds_until_answer(address, patience=2.0) == 2.0,
            "slow bodies hold every thread",
        )


@pytest.mark.parametrize("count", [150, 300])
def test_slow_bodies_delay_no_one(live_stack: Stack, count: int) -> None:
    port = live_stack.ports.edge
    with slow_bodies(port, count):
        during = request_times(port)
        page = seconds_until_answer(port, "/api/v1/products/")
    after = seconds_until_answer(port)

    assert max(*during, page, after) < PROMPTLY


def test_slow_heads_delay_no_one(live_stack: Stack) -> None:
    port = live_stack.ports.edge
    with slow_heads(port, 300):
        during = request_times(port)
    assert max(*during, seconds_until_answer(port)) < PROMPTLY


@pytest.mark.parametrize(("connections", "streams"), [(4, 90), (6, 90)])
def test_slow_streams_of_http2_delay_no_one(
    tls_stack: Stack, connections: int, streams: int
) -> None:
    port = tls_stack.ports.edge
    with slow_streams(port, connections=connections, streams=streams, tls=True):
        during = request_times(port, tls=True)
    after = seconds_until_answer(port, tls=True, host="localhost")

    assert max(*during, after) < PROMPTLY


def test_http2_without_tls_is_disconnected(live_stack: Stack) -> None:
    """No browser speaks it, and with "prior knowledge" it blocked the shop for good."""
    port = live_stack.ports.edge
    with slow_streams(port, connections=4, streams=90, tls=False) as attackers:
        assert all(closed_within(attacker.line, 3) for attacker in attackers)
        assert seconds_until_answer(port) < PROMPTLY


def test_the_slow_are_cut_off(live_stack: Stack) -> None:
    """However many bytes they send: a request that is not complete in time is dropped."""
    port = live_stack.ports.edge
    began = time.monotonic()
    with slow_bodies(port, 5) as bodies, slow_heads(port, 5) as heads:
        assert all(closed_within(line, 40) for line in [*heads, *bodies])
    assert time.monotonic() - began < 40


def test_a_body_that_breaks_off_is_no_request(live_stack: Stack) -> None:
    """Half a form must not be taken for the whole: nothing of it reaches a view."""
    port = live_stack.ports.edge
    with slow_bodies(port, 1) as [line]:
        line.sendall(b"l")
        line.shutdown(1)  # no more is sent
        line.settimeout(10)
        answer = line.recv(4096)
    assert b" 202 " not in answer
    assert not answer.startswith(b"HTTP/1.1 2")
