"""The error of a shop that cannot run."""


class StackError(RuntimeError):
    """The shop cannot run; the text says why in one line."""
