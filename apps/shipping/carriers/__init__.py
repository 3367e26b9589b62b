"""Carriers, by the code that `Method.carrier` names.

A new carrier is a module with a class that fits `interface.Carrier`, and one line here.
"""

import logging

from apps.shipping.carriers.interface import Carrier, Label, LabelRequest
from apps.shipping.carriers.local import LocalCarrier

__all__ = ["Carrier", "Label", "LabelRequest", "by_code", "codes"]

logger = logging.getLogger(__name__)

_local = LocalCarrier()
_carriers: dict[str, Carrier] = {_local.code: _local}


def by_code(code: str) -> Carrier:
    """The carrier with this code.

    An unknown code (a typing error in the admin) gets the local carrier, with an error in the log:
    the order is paid, so a parcel has to leave.
    """
    carrier = _carriers.get(code)
    if carrier is None:
        logger.error("no carrier %r: its parcels go to the local carrier", code)
        return _local
    return carrier


def codes() -> list[str]:
    """The codes of all carriers."""
    return sorted(_carriers)
