"""What a refund is for, in words for shoppers.

A refund's `purpose` is ours and its `reason` is what staff wrote for staff: neither is shown.
"""

from uuid import UUID

from apps.payments.refunds import CANCELLATION
from apps.payments.stopped_refunds import AGAIN

RETURN = "return:"
# By the beginning of the purpose.
WORDS = {
    RETURN: "It is for what you sent back.",
    CANCELLATION: "It is for your cancelled order.",
}
OTHERS = "It comes from our staff."


def of_return(return_id: UUID) -> str:
    """The purpose of the refund of a return."""
    return f"{RETURN}{return_id}"


def matter(purpose: str) -> str:
    """The purpose without the number of the try: what is sent again is the same matter."""
    kind = purpose.partition(AGAIN)[0]
    return CANCELLATION if kind.startswith(CANCELLATION) else kind


def for_shopper(purpose: str) -> str:
    """One sentence about a refund with this purpose."""
    return next((words for kind, words in WORDS.items() if purpose.startswith(kind)), OTHERS)
