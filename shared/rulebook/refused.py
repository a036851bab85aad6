"""How rules refuse a record that is bad: it becomes a dead letter."""


class Refused(Exception):
    """A record that rules cannot take. A refusal that concerns the business is an event, never this.

    `reason`: one line that begins with the field at fault (or `conflict`), without personal data.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason
