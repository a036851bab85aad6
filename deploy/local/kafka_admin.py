"""The two requests that aiokafka's admin client lacks: logins and access rules, each for many at once."""

import hashlib
import secrets
from collections.abc import Awaitable, Callable
from typing import Any, cast

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.protocol.admin import CreateAclsRequest_v1
from aiokafka.protocol.api import Request, RequestStruct, Response
from aiokafka.protocol.types import CompactArray, CompactBytes, CompactString, Int8, Int16, Int32, Schema, TaggedFields

from deploy.local.errors import StackError

# Numbers of Kafka's protocol: AclOperation, ResourceType, PatternType, AclPermissionType, ScramMechanism.
READ, WRITE, DESCRIBE = 3, 4, 8
TOPIC, GROUP = 2, 3
LITERAL, ALLOW = 3, 3
SCRAM_SHA_512, ITERATIONS = 2, 4096

Rule = tuple[int, str, str, int]
"""Kind of resource, its name, the principal, the operation that is allowed."""


class ScramResponse(Response):
    """Kafka's AlterUserScramCredentialsResponse, version 0."""

    API_KEY = 51  # pyright: ignore[reportAssignmentType, reportIncompatibleMethodOverride]
    API_VERSION = 0  # pyright: ignore[reportAssignmentType, reportIncompatibleMethodOverride]
    SCHEMA = Schema(
        ("throttle_time_ms", Int32),
        (
            "results",
            CompactArray(
                ("user", CompactString("utf-8")),
                ("error_code", Int16),
                ("error_message", CompactString("utf-8")),
                ("tags", TaggedFields),
            ),
        ),
        ("tags", TaggedFields),
    )


class ScramRequestStruct(RequestStruct):
    """Kafka's AlterUserScramCredentialsRequest, version 0."""

    FLEXIBLE_VERSION = True
    API_KEY = 51
    API_VERSION = 0
    RESPONSE_TYPE = ScramResponse
    SCHEMA = Schema(
        ("deletions", CompactArray(("name", CompactString("utf-8")), ("mechanism", Int8), ("tags", TaggedFields))),
        (
            "upsertions",
            CompactArray(
                ("name", CompactString("utf-8")),
                ("mechanism", Int8),
                ("iterations", Int32),
                ("salt", CompactBytes),
                ("salted_password", CompactBytes),
                ("tags", TaggedFields),
            ),
        ),
        ("tags", TaggedFields),
    )


class ScramRequest(Request[ScramRequestStruct]):
    """Sets passwords."""

    API_KEY = 51

    def __init__(self, passwords: dict[str, str]) -> None:
        self.passwords = passwords

    def build(self, request_struct_class: type[ScramRequestStruct]) -> ScramRequestStruct:
        """The request as it is sent: salted hashes, never a password (RFC 5802)."""
        upsertions: list[tuple[Any, ...]] = []
        for name, password in self.passwords.items():
            salt = secrets.token_bytes(24)
            salted = hashlib.pbkdf2_hmac("sha512", password.encode(), salt, ITERATIONS)
            upsertions.append((name, SCRAM_SHA_512, ITERATIONS, salt, salted, {}))
        return request_struct_class([], upsertions, {})


class RulesRequest(Request[CreateAclsRequest_v1]):
    """Allows; a rule that exists already stays as it is."""

    API_KEY = 30

    def __init__(self, rules: list[Rule]) -> None:
        self.rules = rules

    def build(self, request_struct_class: type[CreateAclsRequest_v1]) -> CreateAclsRequest_v1:
        """The request as it is sent."""
        return request_struct_class(
            [
                (resource, name, LITERAL, f"User:{principal}", "*", operation, ALLOW)
                for resource, name, principal, operation in self.rules
            ]
        )


Send = Callable[[Request[Any]], Awaitable[Any]]


def by(admin: AIOKafkaAdminClient) -> Send:
    """Sends these requests through the admin client, to the node that is responsible."""
    return cast("Send", getattr(admin, "_send_to_controller"))  # noqa: B009


async def set_passwords(send: Send, passwords: dict[str, str]) -> None:
    """Let each of these principals log in by SCRAM-SHA-512."""
    answer = await send(ScramRequest(passwords))
    _check(f"login of {user}: {message}" for user, code, message, _ in answer.results if code)


async def allow(send: Send, rules: list[Rule]) -> None:
    """Add access rules."""
    answer = await send(RulesRequest(rules))
    _check(message for code, message in answer.creation_responses if code)


def _check(complaints: Any) -> None:
    if found := list(complaints):
        raise StackError("Kafka refused: " + "; ".join(found))
