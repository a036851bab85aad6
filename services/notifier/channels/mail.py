"""What a mail looks like on the wire: its headers, and text and HTML as two forms of the same."""

import re
from binascii import b2a_qp
from datetime import datetime
from email.header import Header
from email.headerregistry import Address
from email.utils import format_datetime, formataddr
from functools import lru_cache
from typing import Final
from urllib.parse import quote

import idna
from msgspec import Struct

from services.notifier.channels.port import Permanent
from services.notifier.rendering import Rendered

# `Header` alone of the standard library's `email`: its newer half takes more than twice as long for the headers, and
# its writer of bodies looks for a boundary that none of them has, line by line, for as long as all else here takes.
_BOUNDARY: Final = "=_alternative"  # quoted-printable never has this (RFC 2045, 6.7)
# No quotes, spaces or brackets: what is spelled with them is no address that customers have.
_USER: Final = re.compile(r"[^\s\x00-\x1f\x7f\"(),:;<>@\[\]\\]{1,64}")
_DOMAIN: Final = re.compile(r"[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)+")


class Mail(Struct, frozen=True):
    """A mail ready to go. `international`: the address itself is not ASCII, which takes a server with SMTPUTF8."""

    to: str
    message_id: str
    content: bytes
    international: bool


def compose(message: Rendered, sender: Address, address: str, notification_id: str, now: datetime) -> Mail:
    """The mail to an address; raises `Permanent` for one that is none. `now`: for the header `Date`."""
    to = _recipient(address)
    message_id = f"<{_atoms(notification_id)}@{sender.domain}>"
    content = _part("plain", message.text) if message.html is None else _both(message.text, message.html)
    head = {
        "From": _folded("From", formataddr((sender.display_name, sender.addr_spec))),
        "To": to,
        "Subject": _subject(message.subject),
        "Message-ID": message_id,
        "Date": format_datetime(now),
        "MIME-Version": "1.0",
        "Content-Language": message.language,
        "Auto-Submitted": "auto-generated",
    }
    if message.unsubscribe_url is not None:
        head["List-Unsubscribe"] = f"<{message.unsubscribe_url}>"
        head["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"  # RFC 8058
    assert all(value.replace("\r\n ", "").isprintable() for value in head.values())
    lines = "".join(f"{name}: {value}\r\n" for name, value in head.items()).encode()
    return Mail(to, message_id, lines + content, international=not to.isascii())


def _subject(text: str) -> str:
    """Encoded where it has to be: also what only looks as if it were."""
    return Header(text, charset="utf-8" if "=?" in text else None, header_name="Subject").encode(linesep="\r\n")


@lru_cache(maxsize=8)
def _folded(name: str, value: str) -> str:
    return Header(value, header_name=name).encode(linesep="\r\n")


def _both(text: str, html: str) -> bytes:
    start = f'Content-Type: multipart/alternative; boundary="{_BOUNDARY}"\r\n\r\n'.encode()
    mark = f"--{_BOUNDARY}".encode()
    return start + mark + b"\r\n" + _part("plain", text) + mark + b"\r\n" + _part("html", html) + mark + b"--\r\n"


def _part(form: str, content: str) -> bytes:
    """Quoted-printable, as not every server takes eight bits, nor lines as long as those of HTML."""
    start = f'Content-Type: text/{form}; charset="utf-8"\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n'
    return start.encode() + b2a_qp(content.replace("\n", "\r\n").encode()) + b"\r\n"


def _recipient(address: str) -> str:
    """The address with its domain in ASCII."""
    user, _, domain = address.strip().rpartition("@")
    try:
        ascii_domain = idna.encode(domain, uts46=True).decode()  # the codec of the standard library takes ß for ss
    except idna.IDNAError:
        ascii_domain = ""
    if not _USER.fullmatch(user) or not _DOMAIN.fullmatch(ascii_domain):
        raise Permanent("the address is no e-mail address", address=True)
    return f"{user}@{ascii_domain}"


def _atoms(identifier: str) -> str:
    """An id as the left side of a Message-ID, one to one: what RFC 5322 has no place for is written as in a URL."""
    return quote(identifier, safe="").replace(".", "%2E")
