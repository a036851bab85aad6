"""E-mail, handed to a real mail server with TLS and a login."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from email.message import EmailMessage

import pytest
from msgspec.structs import replace

from services.notifier.channels import smtp
from services.notifier.channels.port import Permanent, Sent, Temporary
from services.notifier.channels.smtp import Email
from services.notifier.rendering import Rendered
from services.notifier.settings import ChannelSettings
from tests.notifier.channels.conftest import Authority
from tests.notifier.channels.mailserver import LOGIN, PASSWORD, MailServer, mail_server

TO = "someone@example.org"


def settings(server: MailServer, authority: Authority, **other: object) -> ChannelSettings:
    given = {
        "smtp_host": "localhost",
        "smtp_port": server.port,
        "smtp_username": LOGIN,
        "smtp_password": PASSWORD,
        "smtp_ca_file": authority.file,
        "mail_from": "Größe & Co <bonus@shop.example>",
    }
    return ChannelSettings.model_validate(given | other)


@pytest.fixture
async def server(authority: Authority) -> AsyncIterator[MailServer]:
    async with mail_server(authority.server()) as started:
        yield started


@pytest.fixture
async def channel(server: MailServer, authority: Authority) -> AsyncIterator[Email]:
    opened = Email(settings(server, authority))
    yield opened
    await opened.close()


async def test_a_mail_says_who_what_and_how_to_unsubscribe(channel: Email, server: MailServer, message: Rendered):
    sent = await channel.send(message, TO, "07:n.1")
    [mail] = server.mails()
    assert sent == Sent("<07%3An%2E1@shop.example>")
    assert {name: str(mail[name]) for name in mail if name not in {"Date", "Content-Type"}} == {
        "From": "Größe & Co <bonus@shop.example>",
        "To": TO,
        "Subject": message.subject,
        "Message-ID": sent.reference,
        "Content-Language": "de",
        "Auto-Submitted": "auto-generated",
        "List-Unsubscribe": f"<{message.unsubscribe_url}>",
        "List-Unsubscribe-Post": "List-Unsubscribe=One-Click",
        "MIME-Version": "1.0",
    }
    assert mail["Date"].datetime.tzinfo is not None
    assert server.envelopes[0].mail_from == "bonus@shop.example"


async def test_text_and_html_are_two_forms_of_one_mail(channel: Email, server: MailServer, message: Rendered):
    await channel.send(message, TO, "n1")
    [mail] = server.mails()
    assert mail.get_content_type() == "multipart/alternative"
    parts = [part for part in mail.iter_parts() if isinstance(part, EmailMessage)]
    assert [part.get_content_type() for part in parts] == ["text/plain", "text/html"]
    assert [part.get_content().replace("\r\n", "\n").strip() for part in parts] == [message.text.strip(), message.html]
    assert not mail.defects
    assert not any(part.defects for part in parts)


async def test_every_server_can_pass_it_on(channel: Email, server: MailServer, message: Rendered):
    await channel.send(message, TO, "n1")
    content = server.envelopes[0].original_content or b""
    assert content.isascii()
    assert max(len(line) for line in content.split(b"\r\n")) <= 998
    assert content.replace(b"\r\n", b"").count(b"\n") == 0


@pytest.mark.parametrize(
    "subject", ["word " * 40, "слово " * 30, "ж" * 200, "=?utf-8?q?a?=", "a, b: <c@d.example>", "Ж" + " a" * 99]
)
async def test_a_subject_arrives_as_it_is(channel: Email, server: MailServer, message: Rendered, subject: str):
    await channel.send(replace(message, subject=subject.strip()), TO, "n1")
    assert server.mails()[0]["Subject"] == subject.strip()
    assert max(map(len, (server.envelopes[0].original_content or b"").split(b"\r\n"))) <= 998


async def test_what_has_no_html_is_a_mail_of_text(channel: Email, server: MailServer, message: Rendered):
    await channel.send(replace(message, html=None), TO, "n1")
    assert server.mails()[0].get_content_type() == "text/plain"


async def test_what_cannot_be_unsubscribed_from_does_not_say_so(channel: Email, server: MailServer, message: Rendered):
    await channel.send(replace(message, unsubscribe_url=None), TO, "n1")
    assert not [name for name in server.mails()[0] if name.startswith("List-")]


async def test_a_connection_is_used_again(channel: Email, server: MailServer, message: Rendered):
    for number in range(3):
        await channel.send(message, TO, f"n{number}")
    assert (len(server.mails()), server.connections) == (3, 1)


async def test_sends_at_once_do_not_wait_for_each_other(channel: Email, server: MailServer, message: Rendered):
    server.holds.clear()
    sends = [asyncio.create_task(channel.send(message, TO, f"n{number}")) for number in range(3)]
    while server.connections < 3:
        await asyncio.sleep(0.01)
    server.holds.set()
    await asyncio.gather(*sends)
    assert len(server.mails()) == 3


async def test_a_connection_that_has_ended_is_replaced(channel: Email, server: MailServer, message: Rendered):
    await channel.send(message, TO, "n1")
    server.hang_up()
    await channel.send(message, TO, "n2")
    assert (len(server.mails()), server.connections) == (2, 2)


async def test_a_send_that_is_given_up_leaves_no_trace_in_the_next(
    channel: Email, server: MailServer, message: Rendered
):
    server.holds.clear()
    given_up = asyncio.create_task(channel.send(message, TO, "n1"))
    while not server.open or not any(one.envelope and one.envelope.content for one in server.open):
        await asyncio.sleep(0.01)
    given_up.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await given_up
    server.holds.set()
    assert (await channel.send(message, TO, "n2")).reference == "<n2@shop.example>"
    assert server.mails()[-1]["Message-ID"] == "<n2@shop.example>"


@pytest.mark.parametrize(
    ("answer", "address"),
    [
        ("550 5.1.1 <someone@example.org>: no such user", True),
        ("550 no such user someone@example.org", True),
        ("553 5.1.3 bad address syntax", True),
        ("550 5.2.1 mailbox disabled", True),
        ("550 5.7.1 someone@example.org: blocked by policy", False),
        ("552 5.2.2 mailbox full", False),
    ],
)
async def test_a_refused_recipient_is_final(
    channel: Email, server: MailServer, message: Rendered, answer: str, address: bool
):
    server.at_rcpt = [answer]
    with pytest.raises(Permanent) as refused:
        await channel.send(message, TO, "n1")
    assert refused.value.address is address
    assert TO not in refused.value.reason
    assert answer[:3] in refused.value.reason
    await channel.send(message, TO, "n2")  # on the same connection
    assert (len(server.mails()), server.connections) == (1, 1)


async def test_a_recipient_that_is_put_off_may_be_tried_again(channel: Email, server: MailServer, message: Rendered):
    server.at_rcpt = ["451 4.7.1 greylisted, try again later"]
    with pytest.raises(Temporary) as refused:
        await channel.send(message, TO, "n1")
    assert refused.value.reason == "the mail server puts us off (SMTP 451 4.7.1)"
    assert not refused.value.unsure


async def test_a_mail_that_is_put_off_may_be_tried_again(channel: Email, server: MailServer, message: Rendered):
    server.at_data = ["452 4.3.1 not enough storage"]
    with pytest.raises(Temporary) as refused:
        await channel.send(message, TO, "n1")
    assert refused.value.alone
    assert not refused.value.unsure
    await channel.send(message, TO, "n1")
    assert (len(server.mails()), server.connections) == (1, 1)


async def test_a_refused_mail_does_not_tell_against_the_address(channel: Email, server: MailServer, message: Rendered):
    server.at_data = ["554 5.6.0 looks like spam"]
    with pytest.raises(Permanent) as refused:
        await channel.send(message, TO, "n1")
    assert not refused.value.address


async def test_a_lost_answer_is_unsure_and_the_next_attempt_is_the_same_mail(
    channel: Email, server: MailServer, message: Rendered
):
    server.at_data = [""]
    with pytest.raises(Temporary) as lost:
        await channel.send(message, TO, "n1")
    assert lost.value.unsure
    await channel.send(message, TO, "n1")
    assert [mail["Message-ID"] for mail in server.mails()] == ["<n1@shop.example>"] * 2


async def test_a_server_that_takes_too_long_is_left(
    channel: Email, server: MailServer, message: Rendered, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(smtp, "_WHOLE_S", 0.3)
    server.holds.clear()
    with pytest.raises(Temporary) as left:
        await channel.send(message, TO, "n1")
    assert left.value.unsure


async def test_a_wrong_password_waits_for_an_operator(server: MailServer, authority: Authority, message: Rendered):
    channel = Email(settings(server, authority, smtp_password="wrong"))
    with pytest.raises(Temporary, match="does not accept our login"):
        await channel.send(message, TO, "n1")


async def test_a_certificate_of_somebody_else_gets_no_password(
    server: MailServer, authority: Authority, message: Rendered, tmp_path_factory: pytest.TempPathFactory
):
    other = Authority(tmp_path_factory.mktemp("other"))
    channel = Email(settings(server, other))
    with pytest.raises(Temporary):
        await channel.send(message, TO, "n1")
    assert not server.mails()
    assert not any(one.session and one.session.authenticated for one in server.open)


async def test_nothing_is_sent_without_encryption(authority: Authority, message: Rendered):
    async with mail_server(None) as plain:
        channel = Email(settings(plain, authority))
        with pytest.raises(Temporary, match="cannot be reached"):
            await channel.send(message, TO, "n1")
        assert not plain.mails()


async def test_tls_from_the_first_byte(authority: Authority, message: Rendered):
    async with mail_server(authority.server(), at_once=True) as server:
        channel = Email(settings(server, authority, smtp_security="tls"))
        await channel.send(message, TO, "n1")
        assert [one.session and one.session.authenticated for one in server.open] == [True]
        await channel.close()
        assert len(server.mails()) == 1


async def test_a_server_of_this_machine_without_a_login(authority: Authority, message: Rendered):
    async with mail_server(None) as plain:
        other = {"smtp_security": "none", "smtp_username": None, "smtp_password": None}
        channel = Email(settings(plain, authority, **other))
        await channel.send(message, TO, "n1")
        await channel.close()
        assert len(plain.mails()) == 1


async def test_a_server_that_is_down_may_be_tried_again(authority: Authority, message: Rendered):
    async with mail_server(authority.server()) as server:
        down = settings(server, authority)
    with pytest.raises(Temporary, match="cannot be reached") as refused:
        await Email(down).send(message, TO, "n1")
    assert not refused.value.unsure


@pytest.mark.parametrize(
    "address",
    ["", "nobody", "@example.org", "a@", "a b@example.org", "a@ex\r\nRCPT TO:<b@example.org>", "a@b@c d", "a@-\x00"],
)
async def test_what_is_no_address_reaches_no_server(
    channel: Email, server: MailServer, message: Rendered, address: str
):
    with pytest.raises(Permanent) as refused:
        await channel.send(message, address, "n1")
    assert refused.value.address
    assert server.connections == 0


async def test_addresses_of_all_languages(channel: Email, server: MailServer, message: Rendered):
    await channel.send(message, "jemand@größe.example", "n1")
    await channel.send(message, "почта@größe.example", "n2")
    assert [one.rcpt_tos for one in server.envelopes] == [
        ["jemand@xn--gre-6ka8i.example"],
        ["почта@xn--gre-6ka8i.example"],
    ]
    assert server.envelopes[1].smtp_utf8
