"""Master keys in AWS KMS. Region, credentials and endpoint are found where AWS's own tools find them."""

import asyncio
from functools import cached_property
from typing import Any, Final, cast

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from shared.masterkeys.kms import GoneError, KmsUnavailable

WAIT_DAYS: Final = 7
"""How long AWS keeps a key that is to be deleted, in which somebody may still call it off; it allows no less."""

_CONTEXT: Final = {"perkstream": "master key"}
_GONE: Final = {
    "DisabledException",
    "IncorrectKeyException",
    "InvalidCiphertextException",
    "KMSInvalidStateException",
    "NotFoundException",
}
_CONFIG: Final = Config(connect_timeout=3, read_timeout=5, retries={"mode": "standard", "total_max_attempts": 3})


class AwsKms:
    """A symmetric KMS key for each version; `ref` is its id."""

    async def create(self) -> str:
        made = await self._call("create_key", Description="Perkstream: a version of the master key")
        return made["KeyMetadata"]["KeyId"]

    async def encrypt(self, ref: str, plain: bytes) -> bytes:
        said = await self._call("encrypt", KeyId=ref, Plaintext=plain, EncryptionContext=_CONTEXT)
        return said["CiphertextBlob"]

    async def decrypt(self, ref: str, sealed: bytes) -> bytes:
        said = await self._call("decrypt", KeyId=ref, CiphertextBlob=sealed, EncryptionContext=_CONTEXT)
        return said["Plaintext"]

    async def destroy(self, ref: str) -> None:
        try:
            await self._call("schedule_key_deletion", KeyId=ref, PendingWindowInDays=WAIT_DAYS)
        except GoneError:
            return

    @cached_property
    def _client(self) -> Any:
        return cast("Any", boto3).client("kms", config=_CONFIG)

    def _ask(self, name: str, arguments: dict[str, Any]) -> dict[str, Any]:
        return getattr(self._client, name)(**arguments)

    async def _call(self, name: str, **arguments: Any) -> dict[str, Any]:
        try:
            return await asyncio.to_thread(self._ask, name, arguments)
        except ClientError as error:
            code = str(error.response["Error"]["Code"])  # pyright: ignore[reportUnknownMemberType, reportUnknownArgumentType, reportTypedDictNotRequiredAccess]
            if code in _GONE:
                raise GoneError(f"AWS KMS: {code}: {arguments.get('KeyId')}") from None
            raise KmsUnavailable(f"AWS KMS: {code}") from None
        except BotoCoreError as error:
            raise KmsUnavailable(f"AWS KMS: {type(error).__name__}") from None
