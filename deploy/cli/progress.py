"""The progress bar of everything that may take long: how far, how many, how fast."""

import time
from types import TracebackType
from typing import Self

from rich.progress import BarColumn, Progress, SpinnerColumn, TaskProgressColumn, TextColumn, TimeElapsedColumn

from deploy.cli.trouble import notes


class Bar:
    """A bar on standard error; `total` is `None` where the end is not known, and what it counts is up to the caller."""

    def __init__(self, title: str, total: float | None) -> None:
        self._began = time.monotonic()
        end = (BarColumn(), TaskProgressColumn()) if total is not None else ()
        columns = (
            SpinnerColumn(),
            TextColumn("{task.description}"),
            *end,
            TextColumn("{task.fields[told]}"),
            TimeElapsedColumn(),
        )
        self._progress = Progress(
            *columns, console=notes, transient=not notes.is_terminal, disable=not notes.is_terminal
        )
        self._task = self._progress.add_task(title, total=total, told="")

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._progress.stop()

    def at(self, position: float, records: int) -> None:
        """Show a position between 0 and the total, and how many records went by."""
        self._progress.update(self._task, completed=position, told=f"{records:,} records, {self.rate(records):,.0f}/s")

    def rate(self, records: int) -> float:
        """Records a second since the bar appeared."""
        return records / max(time.monotonic() - self._began, 1e-6)
