"""Every message as the mail that it becomes: structure, headers and links, read back by a parser that is strict."""

import re
from datetime import UTC, datetime
from email import policy
from email.headerregistry import Address
from email.message import EmailMessage
from email.parser import BytesParser
from email.utils import parsedate_to_datetime

import pytest

from services.notifier.channels.mail import compose
from services.notifier.delivery.links import wish_of
from services.notifier.rendering import Rendered
from services.notifier.templates.params import template_of
from tests.notifier.templates.conftest import STATUS, UNSUBSCRIBE, Render
from tests.notifier.templates.test_messages import CASES, HTML, every_language, parse, squeezed, visible

NOW = datetime(2026, 3, 29, 1, 30, 5, tzinfo=UTC)
SENDER = Address("Größe & Co", "bonus", "shop.example")
TO = "someone@example.org"
LINKS = ("href", "src", "srcset", "action", "background", "poster", "cite", "data")
every_mail = pytest.mark.parametrize("case", HTML)


def message_of(render: Render, case: str, locale: str) -> Rendered:
    """As the sender makes it: a receipt has nothing to unsubscribe from."""
    message = render(CASES[case], locale)
    wish = wish_of(template_of(CASES[case]), "email", "c-1")
    return message if wish is not None else render(CASES[case], locale, unsubscribe_url=None)


def wire(message: Rendered) -> bytes:
    return compose(message, SENDER, TO, "0a1b", NOW).content


def read(content: bytes) -> EmailMessage:
    return BytesParser(EmailMessage, policy=policy.default).parsebytes(content)


@every_language
@every_mail
def test_headers_are_whole_and_each_is_there_once(render: Render, case: str, locale: str):
    message = message_of(render, case, locale)
    mail = read(wire(message))
    wanted = {
        "From": "Größe & Co <bonus@shop.example>",
        "To": TO,
        "Subject": message.subject,
        "Message-ID": "<0a1b@shop.example>",
        "Content-Language": locale,
        "Auto-Submitted": "auto-generated",
        "MIME-Version": "1.0",
    }
    if message.unsubscribe_url is not None:
        wanted["List-Unsubscribe"] = f"<{UNSUBSCRIBE}>"
        wanted["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"
    assert sorted(mail.keys()) == sorted([*wanted, "Date", "Content-Type"])
    assert {name: str(mail[name]) for name in wanted} == wanted
    assert parsedate_to_datetime(mail["Date"]) == NOW
    assert not [name for name, value in mail.items() if value.defects]  # type: ignore[attr-defined]


@every_language
@every_mail
def test_the_parts_are_text_and_then_html_as_they_were_made(render: Render, case: str, locale: str):
    message = message_of(render, case, locale)
    parts = list(read(wire(message)).walk())
    assert [part.get_content_type() for part in parts] == ["multipart/alternative", "text/plain", "text/html"]
    assert not [part.get_content_type() for part in parts if part.defects]
    assert {part.get_content_charset() for part in parts[1:]} == {"utf-8"}
    found = [part.get_content().replace("\r\n", "\n").rstrip("\n") for part in parts[1:]]
    assert found == [message.text.rstrip("\n"), (message.html or "").rstrip("\n")]


@every_language
@every_mail
def test_every_server_can_pass_it_on(render: Render, case: str, locale: str):
    content = wire(message_of(render, case, locale))
    lines = content.split(b"\r\n")
    assert content.isascii()
    assert not any(b"\r" in line or b"\n" in line for line in lines)
    head = lines.index(b"")
    assert max(map(len, lines[:head])) <= 998
    assert max(map(len, lines[head:])) <= 78


@every_language
@every_mail
def test_every_link_of_either_part_leads_somewhere_we_know(render: Render, case: str, locale: str):
    message = message_of(render, case, locale)
    tree = parse(message.html or "")
    links = [value for element in tree.iter() for name, value in element.attrib.items() if name in LINKS]
    known = {STATUS, UNSUBSCRIBE} if message.unsubscribe_url is not None else {STATUS}
    assert set(links) <= known
    assert set(re.findall(r"[a-z]+:/\S+|\S+/\S+\.\S+|www\.\S+", message.text)) == set(links)


@every_language
@every_mail
def test_the_text_says_nothing_that_the_html_does_not(render: Render, case: str, locale: str):
    message = message_of(render, case, locale)
    tree = parse(message.html or "")
    html = plain(" ".join([tree.findtext("head/title", ""), *visible(tree)]))
    for line in message.text.splitlines():
        assert plain(line) in html


def plain(text: str) -> str:
    """The words of a line, without addresses, bullets and colons."""
    return squeezed(re.sub(r"https?://\S+|^\s*(\*|--?)\s|:(?=\s|$)", " ", text))


def test_a_mail_without_a_link_to_unsubscribe_says_nothing_of_one(render: Render):
    receipt = message_of(render, "erasure_receipt", "en")
    assert receipt.unsubscribe_url is None
    assert "nsubscribe" not in receipt.text + (receipt.html or "")
    assert b"List-" not in wire(receipt)
