"""A mail server: aiosmtpd with TLS and logins, which keeps what it is sent and refuses what a test says."""

import asyncio
import ssl
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from email import policy
from email.message import EmailMessage
from email.parser import BytesParser
from typing import Any

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

LOGIN, PASSWORD = "bonus", "correct horse"


class MailServer:
    """What arrived, over how many connections. `at_rcpt`, `at_data`: answers used up one by one; "" hangs up.

    `asked`: the recipients of all attempts. `held`: those of mails that wait for `holds`.
    """

    def __init__(self) -> None:
        self.port = 0
        self.connections = 0
        self.envelopes: list[Envelope] = []
        self.at_rcpt: list[str] = []
        self.at_data: list[str] = []
        self.holds = asyncio.Event()  # no answer to a mail before it is set
        self.holds.set()
        self.asked: list[str] = []
        self.held: list[str] = []
        self.open: set[SMTP] = set()
        self.listen: Callable[[], Awaitable[asyncio.Server]]
        self._listening: asyncio.Server | None = None

    def mails(self) -> list[EmailMessage]:
        """What was taken. (No property: aiosmtpd reads those of its handler with every connection.)"""
        parse = BytesParser(EmailMessage, policy=policy.default).parsebytes
        return [parse(one.original_content or b"") for one in self.envelopes]

    async def handle_RCPT(  # noqa: N802 - aiosmtpd calls it so
        self, server: Any, _session: Session, envelope: Envelope, to: str, options: list[str]
    ) -> str:
        self.asked.append(to)
        answer = self.at_rcpt.pop(0) if self.at_rcpt else "250 OK"
        if answer.startswith("250"):
            envelope.rcpt_tos.append(to)
            envelope.rcpt_options.extend(options)
        return answer

    async def handle_DATA(self, server: Any, _session: Session, envelope: Envelope) -> str:  # noqa: N802
        answer = self.at_data.pop(0) if self.at_data else "250 2.0.0 OK"
        self.held += envelope.rcpt_tos
        try:
            await self.holds.wait()
        finally:
            self.held.remove(*envelope.rcpt_tos)
        if answer in {"", "250 2.0.0 OK"}:
            self.envelopes.append(envelope)
        if not answer:
            server.transport.close()
        return answer or "250 OK"

    def hang_up(self) -> None:
        """End every connection, as a server does that is restarted."""
        for one in self.open:
            if one.transport is not None:
                one.transport.close()

    async def up(self) -> None:
        """Listen: from the second time on where it did before."""
        self._listening = await self.listen()
        self.port = self._listening.sockets[0].getsockname()[1]

    def down(self) -> None:
        """Listen no more, and end what is open."""
        if self._listening is not None:
            self._listening.close()
        self.hang_up()


@asynccontextmanager
async def mail_server(tls: ssl.SSLContext | None, *, at_once: bool = False) -> AsyncGenerator[MailServer]:
    """A server on a port of its own: with `tls`, which it insists on, and then logins; `at_once`: without STARTTLS."""
    handler = MailServer()

    def authenticate(_server: Any, _session: Any, _envelope: Any, _mechanism: str, data: Any) -> AuthResult:
        known = data == LoginPassword(LOGIN.encode(), PASSWORD.encode())
        return AuthResult(success=known, handled=False)

    def protocol() -> SMTP:
        handler.connections += 1
        made = SMTP(
            handler,
            hostname="mail.example",
            enable_SMTPUTF8=True,
            tls_context=None if at_once else tls,
            require_starttls=tls is not None and not at_once,
            authenticator=authenticate if tls else None,
            auth_required=tls is not None and not at_once,
            auth_require_tls=not at_once,
        )
        handler.open.add(made)
        return made

    loop, context = asyncio.get_running_loop(), tls if at_once else None
    handler.listen = lambda: loop.create_server(protocol, "127.0.0.1", handler.port, ssl=context)
    await handler.up()
    try:
        yield handler
    finally:
        handler.holds.set()
        handler.down()
        await asyncio.sleep(0.01)  # for what was hung up to be noticed
