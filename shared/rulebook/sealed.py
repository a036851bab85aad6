"""How a document names a value of a person: as a box, with whose it is, until somebody opens it who may."""

from collections.abc import Callable, Iterator
from typing import Any


def sealed(customer_id: str, field: str, box: str | None) -> dict[str, list[str]] | None:
    """A value of that customer, sealed for that field; `None` where there is none."""
    return None if box is None else {"sealed": [customer_id, field, box]}


def owners(document: Any) -> Iterator[str]:
    """The customers whose values a document names, with repetitions."""
    match document:
        case {"sealed": [str(customer), str(), str()]}:
            yield customer
        case dict():
            for each in document.values():  # pyright: ignore[reportUnknownVariableType]
                yield from owners(each)
        case list():
            for each in document:  # pyright: ignore[reportUnknownVariableType]
                yield from owners(each)
        case _:
            pass


def cleared(document: Any, open_box: Callable[[str, str, str], str]) -> Any:
    """The document with every value in clear. `open_box`: of customer, field and box."""
    match document:
        case {"sealed": [str(customer), str(field), str(box)]}:
            return open_box(customer, field, box)
        case dict():
            return {name: cleared(each, open_box) for name, each in document.items()}  # pyright: ignore[reportUnknownVariableType]
        case list():
            return [cleared(each, open_box) for each in document]  # pyright: ignore[reportUnknownVariableType]
        case _:
            return document
