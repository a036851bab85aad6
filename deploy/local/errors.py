"""What goes wrong with the local stack, in words for the person at the terminal."""


class StackError(Exception):
    """The local stack cannot do what was asked; the message says what was tried and what to do."""
