"""What a command says when it cannot do what was asked: one line that names what is wrong, and an exit code."""

import asyncio
import os
from collections.abc import Coroutine
from typing import Any, NoReturn, TypeVar

import typer
from aiokafka.errors import KafkaError, TopicAuthorizationFailedError
from rich.console import Console

T = TypeVar("T")

INTERRUPTED = 130  # what a shell reports for a process that Ctrl-C ended

# Results go to standard output; progress, warnings and errors never do, so that a pipe gets the results alone.
results = Console()
notes = Console(stderr=True)


class Trouble(Exception):
    """A reason to stop that the user can do something about; its text is the whole message."""


def run(work: Coroutine[Any, Any, T]) -> T:
    """Run a command to its end. Ctrl-C cancels it, so that it can finish what it took, and then exits with 130."""
    try:
        return asyncio.run(work)
    except KeyboardInterrupt:
        raise typer.Exit(INTERRUPTED) from None
    except TopicAuthorizationFailedError as error:
        raise Trouble(f"Kafka: this login may not use {error}") from None
    except KafkaError as error:
        raise Trouble(f"Kafka: {_brief(error)}") from None


def stop(trouble: Trouble) -> NoReturn:
    """End the process with the message, on one line."""
    notes.print(f"perkstream: {trouble}", style="red", markup=False, highlight=False, soft_wrap=True)
    raise SystemExit(1)


def close_output() -> NoReturn:
    """End the process quietly when the reader of its output is gone, as in `perkstream ... | head`."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    raise SystemExit(1)


def _brief(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__
