"""`python -m deploy.local.mailbox`: a mail server that delivers nothing, and a page with what it was given.

It keeps the newest mails in memory, because they are full of names, and forgets them when it ends.
"""

import asyncio
import os
from collections import deque
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from html import escape
from typing import Annotated, Any

import uvicorn
from aiosmtpd.smtp import SMTP, Envelope
from fastapi import FastAPI, HTTPException, Path
from fastapi.responses import HTMLResponse, Response
from pydantic import BaseModel
from starlette.middleware.trustedhost import TrustedHostMiddleware

from shared.settings import PREFIX

HOST = "127.0.0.1"
MOST = 1_000
# Nothing of a mail runs, and nothing is loaded for it; its links may be followed.
POLICY = "sandbox allow-popups allow-popups-to-escape-sandbox; default-src 'none'; style-src 'unsafe-inline'"
STYLE = "body{font:1rem/1.5 system-ui;margin:2rem;color-scheme:light dark}td{padding:.2rem 1.5rem .2rem 0}"


class Mail(BaseModel):
    """A mail as it was handed over. `number`: counts from 1."""

    number: int
    received_at: datetime
    to: list[str]
    subject: str
    headers: dict[str, str]
    text: str | None
    html: str | None


class Mailbox:
    """The newest mails, and how many there were."""

    def __init__(self) -> None:
        self.mails: deque[Mail] = deque(maxlen=MOST)
        self._count = 0

    async def handle_DATA(self, _server: Any, _session: Any, envelope: Envelope) -> str:  # noqa: N802  aiosmtpd's name
        """Keep a mail; called by the server."""
        assert isinstance(envelope.content, bytes)
        message = message_from_bytes(envelope.content, EmailMessage, policy=default)
        self._count += 1
        mail = Mail(
            number=self._count,
            received_at=datetime.now(UTC),
            to=[str(address) for address in envelope.rcpt_tos],
            subject=str(message["Subject"] or ""),
            headers={name: str(value) for name, value in message.items()},
            text=_part(message, "plain"),
            html=_part(message, "html"),
        )
        self.mails.appendleft(mail)
        return "250 kept"

    def find(self, number: int) -> Mail:
        """One of them; a 404 for one that is not there any more."""
        for mail in self.mails:
            if mail.number == number:
                return mail
        raise HTTPException(404)


def _part(message: EmailMessage, kind: str) -> str | None:
    body = message.get_body((kind,))
    return body.get_content().replace("\r\n", "\n") if body is not None else None


def make_app(mailbox: Mailbox, smtp_port: int) -> FastAPI:
    """The page, and while it is served the mail server on that port."""

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncGenerator[None]:
        loop = asyncio.get_running_loop()
        server = await loop.create_server(
            lambda: SMTP(mailbox, hostname="localhost", enable_SMTPUTF8=True), HOST, smtp_port
        )
        async with server:
            yield

    app = FastAPI(title="Mailbox", lifespan=lifespan)
    # Otherwise a page of somebody else could read this one, by a name that leads here.
    app.add_middleware(TrustedHostMiddleware, allowed_hosts=[HOST, "localhost"])

    @app.get("/readyz")
    async def readyz() -> str:
        return "ready"

    @app.get("/mails")
    async def mails() -> list[Mail]:
        """The newest first."""
        return list(mailbox.mails)

    @app.get("/mails/{number}")
    async def mail(number: Annotated[int, Path()]) -> Response:
        found = mailbox.find(number)
        html = found.html or f"<pre>{escape(found.text or '')}</pre>"
        return HTMLResponse(html, headers={"Content-Security-Policy": POLICY})

    @app.get("/")
    async def page() -> Response:
        rows = "".join(
            f"<tr><td>{mail.received_at:%H:%M:%S}<td>{escape(', '.join(mail.to))}"
            f'<td><a href="/mails/{mail.number}">{escape(mail.subject) or "?"}</a>'
            for mail in mailbox.mails
        )
        head = '<!doctype html><html lang="en"><meta charset="utf-8"><title>Mailbox</title>'
        body = f"<h1>Mailbox</h1><p>Mails that would have been sent; none was.<table>{rows}</table>"
        return HTMLResponse(f'{head}<meta http-equiv="refresh" content="5"><style>{STYLE}</style>{body}')

    return app


if __name__ == "__main__":
    smtp_port, http_port = (int(os.environ[PREFIX + name]) for name in ("SMTP_PORT", "HTTP_PORT"))
    uvicorn.run(make_app(Mailbox(), smtp_port), host=HOST, port=http_port, log_level="warning")
