"""A worker's places for bells: none is lost with an acknowledgement that Redis did not take."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import redis as redis_client
from kombu import Connection, Queue
from kombu.transport import redis as kombu_redis

from storefront import broker, embedded


@pytest.fixture
def channel(tmp_path: Path, embedded_services: None, settings: object) -> Iterator[object]:
    """A real channel with one place, to this run's Redis."""
    url = embedded.redis_url(settings.STOREFRONT_HOME).replace("unix://", "redis+socket://", 1)
    with Connection(f"{url}?virtual_host=6") as connection:
        made = connection.channel()
        made.basic_qos(0, 1, False)
        yield made


def take_a_bell(channel: object, queue: Queue) -> object:
    bound = queue(channel)
    bound.declare()
    bound.exchange.publish(bound.exchange.Message("ring"), routing_key=queue.routing_key)
    message = bound.get(no_ack=False)
    assert message is not None
    return message


BELLS = Queue("test-bells", routing_key="test-bells")


class Silent:
    """Redis, frozen: whatever it is asked, the answer does not come in time."""

    def execute(self) -> None:
        raise redis_client.TimeoutError("Timeout reading from socket")


@pytest.mark.parametrize("deed", ["ack", "reject"])
def test_place_comes_back_though_redis_did_not_hear_of_it(
    channel: object, deed: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    message = take_a_bell(channel, BELLS)
    assert not channel.qos.can_consume()
    monkeypatch.setattr(channel.qos, "_remove_from_indices", lambda *_, **__: Silent())

    with pytest.raises(redis_client.TimeoutError):
        getattr(channel.qos, deed)(message.delivery_tag)

    assert channel.qos.can_consume()


def test_without_it_the_place_is_gone(channel: object, monkeypatch: pytest.MonkeyPatch) -> None:
    """Kombu's own: on the day when this test fails, storefront/broker.py can go."""
    message = take_a_bell(channel, BELLS)
    monkeypatch.setattr(channel.qos, "_remove_from_indices", lambda *_, **__: Silent())

    with pytest.raises(redis_client.TimeoutError):
        super(broker.QoS, channel.qos).ack(message.delivery_tag)

    assert not channel.qos.can_consume()


def test_shop_speaks_to_its_broker_so() -> None:
    import storefront.celery  # noqa: F401

    assert kombu_redis.Channel.QoS is broker.QoS
