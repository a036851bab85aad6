"""What Perkstream asks of a key management system, and how a setting names one."""

from pathlib import Path
from typing import Protocol

from shared.mongo import Unavailable


class KmsUnavailable(Unavailable):
    """The key management system cannot be reached, is too busy, or does not let us in."""


class GoneError(Exception):
    """A master key was destroyed, or never was; what is encrypted under it opens no more."""


class Kms(Protocol):
    """Guards keys that never leave it, each named by a `ref`. Encrypts some hundred bytes at most.

    Every method raises `KmsUnavailable`; all but `create` raise `GoneError`, except that `destroy` is content with it.
    """

    async def create(self) -> str:
        """Make a key; its ref."""
        ...

    async def encrypt(self, ref: str, plain: bytes) -> bytes: ...

    async def decrypt(self, ref: str, sealed: bytes) -> bytes: ...

    async def destroy(self, ref: str) -> None:
        """Make sure that the key opens nothing any more, as finally as the system can."""
        ...


def connect(setting: str) -> Kms:
    """The key management system that a setting names: `file:FOLDER`, or `aws`.

    Raises `ValueError` for another, and `ImportError` where its client is not installed.
    """
    kind, _, folder = setting.partition(":")
    match kind, folder:
        case "aws", "":
            from shared.masterkeys.aws import AwsKms  # noqa: PLC0415 - an extra that is not installed everywhere

            return AwsKms()
        case "file", _ if folder:
            from shared.masterkeys.file import FileKms  # noqa: PLC0415 - it needs this module

            return FileKms(Path(folder))
        case _:
            raise ValueError("is neither file:FOLDER nor aws")
