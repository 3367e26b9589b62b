"""What can go wrong with a message."""


class MissingData(Exception):
    """Data that the message's template uses is missing: `names`."""

    def __init__(self, kind: str, names: list[str]) -> None:
        super().__init__(f"{kind} needs {', '.join(names)}")
        self.kind = kind
        self.names = names


class UnknownKind(Exception):
    """There is no template for this kind of message."""


class NotDead(Exception):
    """Only an undecided dead letter can be sent again or closed by staff."""

    def __init__(self) -> None:
        super().__init__("This message is not a dead letter (any more).")
