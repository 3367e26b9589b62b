"""What can go wrong with shipping. `code` is for the API; `str()` is shown to people."""

from uuid import UUID


class NotShippable(Exception):
    """No rate of this method fits the destination, weight and value."""

    code = "not_shippable"

    def __init__(self, method_code: str, country: str) -> None:
        super().__init__("This way of shipping does not reach that address.")
        self.method_code = method_code
        self.country = country


class ShipmentNotFound(Exception):
    """The order has no parcel."""

    code = "shipment_not_found"

    def __init__(self, order_id: UUID) -> None:
        super().__init__("This order has no parcel yet.")
        self.order_id = order_id


class WrongShipmentState(Exception):
    """The parcel is in another state than this transition starts from or leads to."""

    code = "wrong_shipment_state"

    def __init__(self, order_id: UUID, state: str) -> None:
        super().__init__(f"The parcel is {state.replace('_', ' ')}.")
        self.order_id = order_id
        self.state = state
