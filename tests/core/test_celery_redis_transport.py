"""A worker's prefetch slots: none is lost with an acknowledgement that Redis did not take."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import redis as redis_client
from kombu import Connection, Queue
from kombu.transport import redis as kombu_redis

from apps.core import celery_redis_transport
from tools import embedded


@pytest.fixture
def channel(tmp_path: Path, embedded_services: None, settings: object) -> Iterator[object]:
    """A real channel with one slot, to this run's Redis."""
    url = embedded.redis_url(settings.STOREFRONT_HOME).replace("unix://", "redis+socket://", 1)
    with Connection(f"{url}?virtual_host=6") as connection:
        made = connection.channel()
        made.basic_qos(0, 1, False)
        yield made


def take_a_message(channel: object, queue: Queue) -> object:
    bound = queue(channel)
    bound.declare()
    bound.exchange.publish(bound.exchange.Message("work"), routing_key=queue.routing_key)
    message = bound.get(no_ack=False)
    assert message is not None
    return message


QUEUE = Queue("test-tasks", routing_key="test-tasks")


class Silent:
    """A frozen Redis: no command is answered in time."""

    def execute(self) -> None:
        raise redis_client.TimeoutError("Timeout reading from socket")


@pytest.mark.parametrize("method", ["ack", "reject"])
def test_slot_is_freed_although_redis_does_not_answer(
    channel: object, method: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    message = take_a_message(channel, QUEUE)
    assert not channel.qos.can_consume()
    monkeypatch.setattr(channel.qos, "_remove_from_indices", lambda *_, **__: Silent())

    with pytest.raises(redis_client.TimeoutError):
        getattr(channel.qos, method)(message.delivery_tag)

    assert channel.qos.can_consume()


def test_control_kombu_loses_the_slot(channel: object, monkeypatch: pytest.MonkeyPatch) -> None:
    """When this test fails, kombu has fixed it and apps/core/celery_redis_transport.py can go."""
    message = take_a_message(channel, QUEUE)
    monkeypatch.setattr(channel.qos, "_remove_from_indices", lambda *_, **__: Silent())

    with pytest.raises(redis_client.TimeoutError):
        super(celery_redis_transport.QoS, channel.qos).ack(message.delivery_tag)

    assert not channel.qos.can_consume()


def test_celery_app_uses_this_class() -> None:
    import storefront.celery  # noqa: F401

    assert kombu_redis.Channel.QoS is celery_redis_transport.QoS
