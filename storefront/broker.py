"""Celery's Redis transport, with one thing mended: a place that is lost with an acknowledgement.

A worker takes as many bells as it has places (`worker_prefetch_multiplier`), and a bell gives its
place back when it is acknowledged. Kombu forgets the place only after Redis has answered: each
acknowledgement that falls into a silent Redis takes a place with it for good, and a worker of four
processes that was busy when Redis froze never hears a bell again, however well Redis is
(`make faults`, redis-frozen). Here the place comes back first of all. The bell itself stays in
Redis's list of those under way and rings once more some minutes later, which harms nobody.
"""

from typing import Any

from kombu.transport import redis, virtual


class QoS(redis.QoS):
    """Which bells this worker has taken and not acknowledged."""

    def ack(self, delivery_tag: Any) -> None:
        try:
            super().ack(delivery_tag)
        except self.channel.connection_errors:
            virtual.QoS.ack(self, delivery_tag)
            raise

    def reject(self, delivery_tag: Any, requeue: bool = False) -> None:
        try:
            super().reject(delivery_tag, requeue=requeue)
        except self.channel.connection_errors:
            virtual.QoS.ack(self, delivery_tag)
            raise


def mend() -> None:
    """Let every channel of this process count its places so."""
    redis.Channel.QoS = QoS
