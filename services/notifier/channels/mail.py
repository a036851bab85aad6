"""What a mail looks like on the wire: its headers, and text and HTML as two forms of the same."""

import re
from binascii import b2a_qp
from datetime import datetime
from email.header import Header
from email.headerregistry import Address
from email.message import Message
from email.mime.multipart import MIMEMultipart
from email.mime.nonmultipart import MIMENonMultipart
from email.policy import compat32
from email.utils import format_datetime, formataddr
from typing import Final
from urllib.parse import quote

import idna
from msgspec import Struct

from services.notifier.channels.port import Permanent
from services.notifier.rendering import Rendered

# The older half of the standard library's `email`: the newer takes more than twice as long to write a mail.
_POLICY: Final = compat32.clone(linesep="\r\n")
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
    mail = _body(message)
    mail["From"] = formataddr((sender.display_name, sender.addr_spec))
    mail["Subject"] = _subject(message.subject)
    mail["Date"] = format_datetime(now)
    mail["Content-Language"] = message.language
    mail["Auto-Submitted"] = "auto-generated"
    # What is one long word, or an address of RFC 6532, stays as it is.
    whole = {"To": to, "Message-ID": message_id}
    if message.unsubscribe_url is not None:
        mail["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"  # RFC 8058
        whole["List-Unsubscribe"] = f"<{message.unsubscribe_url}>"
    assert all(value.isprintable() for value in whole.values())
    first = "".join(f"{name}: {value}\r\n" for name, value in whole.items())
    return Mail(to, message_id, first.encode() + mail.as_bytes(policy=_POLICY), international=not to.isascii())


def _subject(text: str) -> str:
    """Encoded where it has to be: also what only looks as if it were."""
    return Header(text, charset="utf-8" if "=?" in text else None, header_name="Subject").encode()


def _body(message: Rendered) -> Message:
    text = _part("plain", message.text)
    if message.html is None:
        return text
    both = MIMEMultipart("alternative")
    both.attach(text)
    both.attach(_part("html", message.html))
    return both


def _part(form: str, content: str) -> Message:
    """Quoted-printable, as not every server takes eight bits, nor lines as long as those of HTML."""
    part = MIMENonMultipart("text", form, charset="utf-8")
    part["Content-Transfer-Encoding"] = "quoted-printable"
    part.set_payload(b2a_qp(content.encode()).decode("ascii"))
    return part


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
