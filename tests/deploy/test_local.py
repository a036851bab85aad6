"""The local system: every service gets its settings, and mails end in a mailbox on this machine."""

import asyncio
from collections.abc import AsyncIterator
from email.message import EmailMessage
from pathlib import Path

import aiosmtplib
import httpx
import pytest

from deploy.local import keys, mailbox, ports, provision
from deploy.local.servers import Layout
from deploy.local.service import Service
from deploy.local.stack import Stack
from deploy.local.system import SERVICES, settings
from services.notifier.settings import ChannelSettings
from shared.settings import Settings, load
from tests.deploy.files import OWN_SETTINGS

URLS = {name: f"http://127.0.0.1:{20_000 + number}" for number, name in enumerate(SERVICES)}
SMTP_PORT = 2525


@pytest.fixture
def here(tmp_path: Path) -> Stack:
    made = keys.load(tmp_path, list(provision.PRINCIPALS))
    return Stack(tmp_path, made, Layout(cluster="x", kafka=[1, 2], mongo=[3], partitions=12))


def apply(environment: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)


@pytest.mark.parametrize("name", SERVICES)
def test_every_service_gets_the_settings_that_it_needs(here: Stack, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    apply(settings(here, name, URLS, SMTP_PORT), monkeypatch)

    for kind in (Settings, *OWN_SETTINGS.get(name, ())):
        load(kind)


def test_mails_go_to_the_mailbox_and_other_channels_are_off(here: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    apply(settings(here, "notifier", URLS, SMTP_PORT), monkeypatch)

    channels = ChannelSettings()

    assert (channels.smtp_host, channels.smtp_port) == ("127.0.0.1", SMTP_PORT)
    assert [name for name, on in channels.on().items() if on] == ["email"]


def test_mails_go_to_the_server_that_the_environment_names(here: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PERKSTREAM_SMTP_HOST", "smtp.shop.example")
    monkeypatch.setenv("PERKSTREAM_MAIL_FROM", "shop@shop.example")
    apply(settings(here, "notifier", URLS, SMTP_PORT), monkeypatch)

    channels = ChannelSettings()

    assert (channels.smtp_host, channels.smtp_port, channels.smtp_security) == ("smtp.shop.example", 587, "starttls")


def test_secrets_stay_the_same_from_start_to_start(here: Stack) -> None:
    again = keys.load(here.folder, list(provision.PRINCIPALS))

    assert again == here.keys
    secret = [file for file in here.folder.iterdir() if file.is_file() and file != here.keys.jwks_file]
    assert all(file.stat().st_mode & 0o077 == 0 for file in secret)


@pytest.fixture
async def running(tmp_path: Path) -> AsyncIterator[tuple[Service, int]]:
    smtp_port, port = ports.choose(2)
    where = {"PERKSTREAM_SMTP_PORT": str(smtp_port)}
    service = Service("mailbox", mailbox.__name__, where, port, tmp_path / "mailbox.log")
    supervisor = asyncio.create_task(service.supervise())
    try:
        await service.ready()
        yield service, smtp_port
    finally:
        supervisor.cancel()
        await asyncio.gather(supervisor, return_exceptions=True)


async def test_the_mailbox_shows_what_it_was_given_and_runs_nothing_of_it(running: tuple[Service, int]) -> None:
    service, smtp_port = running
    mail = EmailMessage()
    mail["From"], mail["To"], mail["Subject"] = "shop@shop.example", "c@shop.example", "Grüße <script>1</script>"
    mail.set_content("Text")
    mail.add_alternative("<p>Schöne <script>2</script></p>", subtype="html")
    await aiosmtplib.send(mail, hostname="127.0.0.1", port=smtp_port, start_tls=False)

    async with httpx.AsyncClient(base_url=service.url) as http:
        (listed,) = (await http.get("/mails")).json()
        page = await http.get("/")
        shown = await http.get(f"/mails/{listed['number']}")
        missing = await http.get("/mails/99")
        elsewhere = await http.get("/mails", headers={"Host": "shop.example"})

    assert (listed["to"], listed["text"], listed["subject"]) == (["c@shop.example"], "Text\n", mail["Subject"])
    assert "Grüße &lt;script&gt;" in page.text
    assert "<script>" not in page.text
    assert "Schöne" in shown.text
    policy = shown.headers["content-security-policy"]
    assert policy.startswith("sandbox ")
    assert "allow-scripts" not in policy
    assert "default-src 'none'" in policy
    assert (missing.status_code, elsewhere.status_code) == (404, 400)
