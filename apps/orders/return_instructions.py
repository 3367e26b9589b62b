"""What a shopper who sends goods back has to know. The mail, the page and the API read it here."""

from dataclasses import dataclass

from django.conf import settings

from apps.orders.models import Return

WHAT_TO_DO = (
    "Pack the goods so that they travel well, write the number of the return on the parcel, and"
    " send it to the address. As soon as it has arrived we send your money back, and write to you."
)


@dataclass(frozen=True, slots=True)
class ReturnInstructions:
    """`goods` are (name, units); `address` is one line each, as on a parcel."""

    number: str
    goods: tuple[tuple[str, int], ...]
    address: tuple[str, ...]
    what_to_do: str


def instructions_for(announced: Return) -> ReturnInstructions:
    """The instructions for this return. Prefetch `lines__line` and `order` for many."""
    return ReturnInstructions(
        number=announced.number,
        goods=tuple((line.line.name, line.quantity) for line in announced.lines.all()),
        address=tuple(settings.RETURNS_ADDRESS),
        what_to_do=WHAT_TO_DO,
    )
