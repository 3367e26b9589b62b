"""Mail whose text is made when it is sent, so that a link that opens an account is in no table.

The row in the outbox has only the kind and the recipient. The text comes from a writer that the app
with the accounts registers; it is sent and not stored.
"""

from collections.abc import Callable

# The recipient's address → subject and body; None when the mail has no purpose any more.
Writer = Callable[[str], tuple[str, str] | None]
_writers: dict[str, Writer] = {}


def register(kind: str, writer: Writer) -> None:
    """Set the writer of a kind."""
    _writers[kind] = writer


def writer_of(kind: str) -> Writer | None:
    """The writer of a kind; None when the text is in the row."""
    return _writers.get(kind)
