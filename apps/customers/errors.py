"""What can go wrong with accounts and addresses. `str()` is shown to shoppers."""

from typing import NamedTuple


class EmailTaken(Exception):
    """There is an account with this e-mail address."""

    code = "email_taken"

    def __init__(self) -> None:
        super().__init__("There is already an account with this e-mail address.")


class AddressNotFound(Exception):
    """No such address in this customer's book; another customer's address is not found either."""

    code = "not_found"

    def __init__(self) -> None:
        super().__init__("There is no such address in your address book.")


class AddressBookFull(Exception):
    """The address book has `limit` addresses; the limit protects the disk."""

    code = "address_book_full"

    def __init__(self, limit: int) -> None:
        super().__init__(f"An address book holds {limit} addresses; remove one first.")
        self.limit = limit


class FieldError(NamedTuple):
    """`code` for programs, `message` to show beside the field."""

    field: str
    code: str
    message: str


class AddressInvalid(Exception):
    """All wrong fields, in the order of the form."""

    code = "address_invalid"

    def __init__(self, errors: list[FieldError]) -> None:
        super().__init__("; ".join(f"{error.field}: {error.message}" for error in errors))
        self.errors = errors
