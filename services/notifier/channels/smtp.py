"""E-mail by SMTP: encrypted, logged in, over connections that are kept."""

import asyncio
import re
import ssl
import time
from datetime import UTC, datetime
from typing import Final, NoReturn

from aiosmtplib import (
    SMTP,
    SMTPAuthenticationError,
    SMTPDataError,
    SMTPException,
    SMTPRecipientRefused,
    SMTPResponseException,
    SMTPSenderRefused,
)

from services.notifier.channels.mail import Mail, compose
from services.notifier.channels.port import AT_ONCE, Permanent, Sent, Temporary
from services.notifier.rendering import Rendered
from services.notifier.settings import ChannelSettings

TIMEOUT_S: Final = 20.0  # of each step
_WHOLE_S: Final = 60.0  # of all steps of a mail
_IDLE_S: Final = 30.0  # after which a connection is not used again: servers end idle ones after some minutes
_CLOSING: Final = 421
_PERMANENT: Final = 500
_ENHANCED: Final = re.compile(r"\s*([245]\.\d{1,3}\.\d{1,3})\b")  # RFC 3463
# No such mailbox, or one that takes no mail. Without an enhanced status, the reply code says it (RFC 5321).
_NO_MAILBOX: Final = re.compile(r"5\.1\.[1-36]|5\.1\.10|5\.2\.1|5\.4\.1")
_NO_MAILBOX_CODES: Final = frozenset({550, 551, 553})


class Email:
    """Addresses are e-mail addresses. `Message-ID` is made of the notification's id, so it is that of every attempt."""

    def __init__(self, settings: ChannelSettings) -> None:
        password = settings.smtp_password
        self._settings = settings
        self._password = None if password is None else password.get_secret_value()
        self._sender = settings.sender()
        self._tls = ssl.create_default_context(cafile=settings.smtp_ca_file)
        self._idle: list[tuple[SMTP, float]] = []

    async def send(self, message: Rendered, address: str, notification_id: str) -> Sent:
        """See `Channel.send`."""
        mail = compose(message, self._sender, address, notification_id, datetime.now(UTC))
        try:
            async with asyncio.timeout(_WHOLE_S):
                await self._hand_over(mail)
        except TimeoutError:
            raise Temporary("the mail server takes too long", unsure=True) from None
        return Sent(mail.message_id)

    async def _hand_over(self, mail: Mail) -> None:
        connection = await self._addressed(mail)
        try:
            await connection.data(mail.content)
        except SMTPDataError as refused:
            self._keep(connection)
            _refuse(refused)
        except (SMTPException, OSError):
            connection.close()
            raise Temporary("the mail server did not answer to the mail", unsure=True) from None
        except BaseException:
            connection.close()  # cancelled half-way: what comes next on it would be read as part of the mail
            raise
        self._keep(connection)

    async def close(self) -> None:
        """See `Channel.close`."""
        while self._idle:
            connection, _ = self._idle.pop()
            try:
                await connection.quit(timeout=1)
            except (SMTPException, OSError):
                connection.close()

    async def _addressed(self, mail: Mail) -> SMTP:
        """A connection whose server has taken sender and recipient, and waits for the mail."""
        while self._idle:
            connection, since = self._idle.pop()
            if time.monotonic() - since < _IDLE_S and await self._address(connection, mail, kept=True):
                return connection
            connection.close()
        connection = SMTP(
            hostname=self._settings.smtp_host,
            port=self._settings.smtp_port,
            username=self._settings.smtp_username,
            password=self._password,
            use_tls=self._settings.smtp_security == "tls",
            start_tls=self._settings.smtp_security == "starttls",
            tls_context=self._tls,
            timeout=TIMEOUT_S,
        )
        try:
            await connection.connect()
        except SMTPAuthenticationError:
            raise Temporary("the mail server does not accept our login") from None
        except ssl.SSLError:
            raise Temporary("the mail server is not who it should be") from None
        except (SMTPException, OSError):
            raise Temporary("the mail server cannot be reached") from None
        await self._address(connection, mail, kept=False)
        return connection

    async def _address(self, connection: SMTP, mail: Mail, *, kept: bool) -> bool:
        """Name sender and recipient. False where a connection that was `kept` has ended meanwhile."""
        options = ["SMTPUTF8"] if mail.international else []
        encoding = "utf-8" if mail.international else "ascii"
        try:
            if mail.international and not connection.supports_extension("smtputf8"):
                raise Permanent("the mail server takes no addresses like this")
            await connection.mail(self._sender.addr_spec, options=options, encoding=encoding)
            await connection.rcpt(mail.to, encoding=encoding)
        except SMTPSenderRefused as refused:
            connection.close()
            if kept and refused.code == _CLOSING:
                return False
            # An operator can put this right, and then the mail is still wanted.
            raise Temporary(f"the mail server refuses our sender ({_status(refused)})") from None
        except SMTPRecipientRefused as refused:
            await self._reset(connection)
            _refuse(refused)
        except (SMTPException, OSError):
            connection.close()
            if kept:
                return False
            raise Temporary("the mail server does not answer") from None
        except BaseException:
            connection.close()
            raise
        return True

    async def _reset(self, connection: SMTP) -> None:
        """Forget sender and recipient, so that the connection can be kept."""
        try:
            await connection.rset()
        except (SMTPException, OSError):
            connection.close()
        self._keep(connection)

    def _keep(self, connection: SMTP) -> None:
        if connection.is_connected and len(self._idle) < AT_ONCE:
            self._idle.append((connection, time.monotonic()))
        else:
            connection.close()


def _refuse(refused: SMTPResponseException) -> NoReturn:
    """Raise what the server's answer to a recipient or a mail means."""
    status = _status(refused)
    if refused.code < _PERMANENT:
        raise Temporary(f"the mail server puts us off ({status})", alone=True) from None
    enhanced = _ENHANCED.match(refused.message)
    if enhanced:
        gone = _NO_MAILBOX.fullmatch(enhanced[1]) is not None
    else:
        gone = isinstance(refused, SMTPRecipientRefused) and refused.code in _NO_MAILBOX_CODES
    raise Permanent(
        f"the mail server refuses {'the address' if gone else 'the mail'} ({status})", address=gone
    ) from None


def _status(refused: SMTPResponseException) -> str:
    """The numbers of an answer; its words could hold the address."""
    enhanced = _ENHANCED.match(refused.message)
    return f"SMTP {refused.code} {enhanced[1]}" if enhanced else f"SMTP {refused.code}"
