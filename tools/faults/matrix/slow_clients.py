"""Clients hold connections open at the shop's port with requests that do not end."""

import time
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from typing import Any

from tools.faults.matrix.fault import Action, Fault, FaultContext
from tools.faults.slow_clients import (
    LatencyProbe,
    half_open_sockets,
    slow_bodies,
    slow_heads,
    slow_streams,
)

ANSWERED_WITHIN = 1.0  # seconds, for every other client


def hold_connections(begin: Callable[[int], AbstractContextManager[Any]]) -> Action:
    """Hold the connections that `begin(port)` opens, and measure other clients' latency."""

    def inject(context: FaultContext) -> None:
        port = context.shop.ports.edge
        context.notes["probe"] = LatencyProbe(port)
        context.held.enter_context(begin(port))

    return inject


def release_connections(context: FaultContext) -> None:
    context.held.close()
    # Afterwards as well: threads that stay stuck would show here.
    time.sleep(2)
    context.notes["latencies"] = context.notes["probe"].stop()


def others_were_answered(context: FaultContext) -> Iterable[str]:
    answers = context.notes["latencies"]
    if not answers:
        yield "no latency was measured"
    late = [seconds for seconds in answers if seconds > ANSWERED_WITHIN]
    if late:
        yield f"{len(late)} of {len(answers)} answers came late, one after {max(answers):.1f} s"


FAULTS: tuple[Fault, ...] = (
    Fault(
        name="slow-bodies",
        target="edge",
        action="300 connections send a checkout's body byte by byte",
        expected="others are answered within a second; slow connections are closed",
        inject=hold_connections(lambda port: slow_bodies(port, 300)),
        heal=release_connections, check=others_were_answered, seconds=12,
    ),
    Fault(
        name="slow-heads",
        target="edge",
        action="300 connections send their head byte by byte",
        expected="others are answered within a second; slow connections are closed",
        inject=hold_connections(lambda port: slow_heads(port, 300)),
        heal=release_connections, check=others_were_answered, seconds=12,
    ),
    Fault(
        name="slow-streams",
        target="edge",
        action="six HTTP/2 connections of 90 streams, one byte of body each",
        expected="closed: without TLS no other client uses HTTP/2",
        inject=hold_connections(
            lambda port: slow_streams(port, connections=6, streams=90, tls=False)
        ),
        heal=release_connections, check=others_were_answered, seconds=5,
    ),
    Fault(
        name="half-open-sockets",
        target="edge",
        action="300 websocket handshakes that never end",
        expected="others are answered within a second; slow connections are closed",
        inject=hold_connections(lambda port: half_open_sockets(port, 300)),
        heal=release_connections, check=others_were_answered, seconds=12,
    ),
)  # fmt: skip
