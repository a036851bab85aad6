"""How rules refuse a record that is bad: it becomes a dead letter; of a command, the sender is told."""


class Refused(Exception):
    """A record that rules cannot take. A refusal that concerns the business is an event or an answer, never this.

    `reason`: one line that begins with the field at fault (or `conflict`), without personal data. `errors`: of a
    command, each field at fault and why.
    """

    def __init__(self, reason: str, errors: tuple[tuple[str, str], ...] = ()) -> None:
        super().__init__(reason)
        self.reason = reason
        self.errors = errors
