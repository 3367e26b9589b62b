"""What can go wrong with a message, by name."""


class MissingData(Exception):
    """A message was asked for without something its text names."""

    def __init__(self, kind: str, names: list[str]) -> None:
        super().__init__(f"{kind} needs {', '.join(names)}")
        self.kind = kind
        self.names = names


class UnknownKind(Exception):
    """No template for this kind of message."""


class NotDead(Exception):
    """Only a message that was given up can be sent again or closed by a person."""

    def __init__(self) -> None:
        super().__init__("This message is not a dead letter (any more).")
