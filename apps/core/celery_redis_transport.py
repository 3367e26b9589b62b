"""Celery's Redis transport with a fix: no slot of the prefetch is lost with an acknowledgement.

A worker takes as many messages as it has slots (`worker_prefetch_multiplier`), and a message frees
its slot when it is acknowledged. Kombu frees the slot only after Redis has answered: each
acknowledgement that times out takes a slot with it for good. A worker of four processes that was
busy when Redis froze never takes a task again, even when Redis is back (`make faults`,
redis-frozen). Here the slot is freed in any case. The message itself stays in Redis's list of
unacknowledged messages and is delivered once more some minutes later, which does no harm.
"""

from typing import Any

from kombu.transport import redis, virtual


class QoS(redis.QoS):
    """Which messages this worker has taken and not acknowledged."""

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


def install() -> None:
    """Have every channel of this process count its slots by this class."""
    redis.Channel.QoS = QoS
