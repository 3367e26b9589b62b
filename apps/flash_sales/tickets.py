"""Tickets of a waiting room: signed, so that a client cannot change the time of entering."""

from django.core.signing import BadSignature, Signer

from apps.flash_sales.active_sales import Sale

_signer = Signer(salt="apps.flash_sales.waiting_room")


def sign(sale: Sale, ticket_id: str, entered: str) -> str:
    """The ticket with this id; `entered` is in microseconds since 1970, by Redis's clock."""
    return _signer.sign(f"{sale.id}.{ticket_id}.{entered}")


def read(sale: Sale, ticket: str) -> tuple[str, str] | None:
    """(id, time of entering) of a valid ticket for `sale`, else None."""
    try:
        sale_id, ticket_id, entered = _signer.unsign(ticket).split(".")
    except (BadSignature, ValueError):
        return None
    return (ticket_id, entered) if sale_id == str(sale.id) else None
