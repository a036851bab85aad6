"""How a value is checked, by its kind, and the one form in which it is kept. Nothing is looked up elsewhere."""

import json
import re
from datetime import date
from functools import lru_cache
from typing import Any, Final, cast

import phonenumbers
from email_validator import EmailNotValidError, validate_email
from phonenumbers import NumberParseException, PhoneNumberFormat
from pydantic import TypeAdapter, ValidationError

from shared.contracts.programme import Day, Zone

LONGEST_EMAIL: Final = 254  # RFC 5321
LONGEST_LOCAL: Final = 64  # of it, before the @
LONGEST_PHONE: Final = 16  # the plus, and E.164's 15 digits
LONGEST_TEXT: Final = 500
LONGEST_NAME: Final = 200
LONGEST_SUBSCRIPTION: Final = 2000

_PLAIN: Final = re.compile(r"[A-Za-z0-9_+-]+(\.[A-Za-z0-9_+-]+)*")
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")
_PHONE: Final = re.compile(r"\+[0-9 ()./-]{3,40}")
_CHAT: Final = re.compile(r"[1-9][0-9]{0,19}")
_LOCALE: Final = re.compile(r"[a-z]{2,3}(-[A-Z][a-z]{3})?(-([A-Z]{2}|[0-9]{3}))?")
_DAY: Final[TypeAdapter[date]] = TypeAdapter(Day)
_ZONE: Final[TypeAdapter[str]] = TypeAdapter(Zone)


class BadValueError(ValueError):
    """A value that is none of its kind. Its text says why, and never shows the value."""


def checked(kind: str, text: str, today: date) -> str:
    """The value as it is kept; raises `BadValueError`.

    `kind`: one of the programme's (domain: e-mail; E.164 phone; a date not after now; text of 1–500 characters), or
    `name`, `locale`, `time_zone`, `push`, `telegram`. `today`: the customer's now, as a day of the programme.
    """
    match kind:
        case "email":
            return _email(text.strip())
        case "phone":
            return _phone(text.strip())
        case "date":
            return _date(text, today)
        case "text":
            return _text(text)
        case "name":
            return _name(text.strip())
        case "locale":
            if not _LOCALE.fullmatch(text):
                raise BadValueError("is no language tag, such as de or de-AT")
            return text
        case "time_zone":
            return _zone(text)
        case "push":
            return _subscription(text)
        case "telegram":
            if not _CHAT.fullmatch(text):
                raise BadValueError("is no id of a private chat")
            return text
        case _:
            raise AssertionError(f"no value is a {kind}")


def _email(text: str) -> str:
    local, _, domain = text.rpartition("@")
    try:
        # The library takes 80 microseconds; most of them on the domain, and customers share few domains.
        if _PLAIN.fullmatch(local) and len(local) <= LONGEST_LOCAL and len(text) <= LONGEST_EMAIL:
            return f"{local}@{_domain(domain)}"
        return _validated(text)
    except EmailNotValidError:
        raise BadValueError("is no e-mail address") from None


@lru_cache(maxsize=4096)
def _domain(domain: str) -> str:
    return _validated(f"a@{domain}").removeprefix("a@")


def _validated(text: str) -> str:
    # The reserved domain .test is as good as any other that does not exist: no record is looked up.
    return validate_email(text, check_deliverability=False, test_environment=True).normalized


def _phone(text: str) -> str:
    try:
        number = phonenumbers.parse(text, None) if _PHONE.fullmatch(text) else None
    except NumberParseException:
        number = None
    # Possible, not valid: numbering plans change faster than releases, and who is refused loses a benefit.
    if number is not None and phonenumbers.is_possible_number(number):
        found = phonenumbers.format_number(number, PhoneNumberFormat.E164)
        if len(found) <= LONGEST_PHONE:
            return found
    raise BadValueError("is no phone number with country code, such as +49 30 123456")


def _date(text: str, today: date) -> str:
    try:
        day = _DAY.validator.validate_json(json.dumps(text))
    except ValidationError:
        raise BadValueError("is no day of the years 1900 to 2199, such as 2026-01-31") from None
    if day > today:
        raise BadValueError("is after today")
    return text


def _text(text: str) -> str:
    if not text.strip():
        raise BadValueError("is blank")
    if len(text) > LONGEST_TEXT:
        raise BadValueError(f"is above {LONGEST_TEXT} characters")
    return text


def _name(text: str) -> str:
    # Names go into lines of their own, such as the headers of a mail.
    if not text or len(text) > LONGEST_NAME or _CONTROL.search(text):
        raise BadValueError(f"is not 1 to {LONGEST_NAME} printable characters")
    return text


def _zone(text: str) -> str:
    try:
        return _ZONE.validator.validate_python(text)
    except ValidationError:
        raise BadValueError("is no time zone of the IANA database, such as Europe/Berlin") from None


def _subscription(text: str) -> str:
    """What a browser's `PushSubscription` gives as JSON (W3C Push API)."""
    try:
        found: Any = json.loads(text) if len(text) <= LONGEST_SUBSCRIPTION else None
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise BadValueError("is no push subscription")
    said = cast("dict[str, Any]", found)
    match said:
        case {"endpoint": str(endpoint), "keys": {"p256dh": str(), "auth": str()}} if endpoint.startswith("https://"):
            return text
        case _:
            raise BadValueError("is no push subscription")
