"""Master keys in files, for development: whoever can read the folder can read everything."""

import os
import secrets
from pathlib import Path
from typing import IO

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESSIV

from shared.masterkeys.kms import GoneError, KmsUnavailable


class FileKms:
    """One file for each key, readable by its owner alone.

    Not for personal data in earnest: a copy of the folder outlives `destroy`, and so may the blocks of a disk.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    async def create(self) -> str:
        ref = secrets.token_hex(8)
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            with os.fdopen(os.open(self._folder / ref, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
                file.write(AESSIV.generate_key(512))
                _settle(file)
        except OSError as error:
            raise KmsUnavailable(f"master keys: {error.strerror}") from None
        return ref

    async def encrypt(self, ref: str, plain: bytes) -> bytes:
        return self._key(ref).encrypt(plain, [ref.encode()])

    async def decrypt(self, ref: str, sealed: bytes) -> bytes:
        try:
            return self._key(ref).decrypt(sealed, [ref.encode()])
        except InvalidTag:
            raise GoneError(f"master key {ref} is not the one that encrypted this") from None

    async def destroy(self, ref: str) -> None:
        try:
            with (self._folder / ref).open("r+b") as file:
                file.write(bytes(os.fstat(file.fileno()).st_size))
                _settle(file)
            (self._folder / ref).unlink()
        except FileNotFoundError:
            return
        except OSError as error:
            raise KmsUnavailable(f"master keys: {error.strerror}") from None

    def _key(self, ref: str) -> AESSIV:
        try:
            return AESSIV((self._folder / ref).read_bytes())
        except FileNotFoundError:
            raise GoneError(f"master key {ref} is gone") from None
        except OSError as error:
            raise KmsUnavailable(f"master keys: {error.strerror}") from None


def _settle(file: IO[bytes]) -> None:
    file.flush()
    os.fsync(file.fileno())
