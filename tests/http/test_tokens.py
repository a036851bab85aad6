"""Who gets in, and who does not."""

import base64
import hmac
import json
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from joserfc.jwk import ECKey, KeySet, OctKey, OKPKey, RSAKey
from pydantic import SecretStr

from shared.http.app import guard
from shared.http.limits import SUBJECTS, Limits
from shared.http.problems import Problem
from shared.http.tokens import Guard, Keys, parse
from shared.settings import Settings
from tests.http.stand import KEY, LOCAL, Service, bearer, key_set, problem, token, write_keys

MINE = "/customers/c-1/thing"


@pytest.mark.parametrize("scope", ["ops", "staff", "pos staff"])
async def test_a_token_with_a_scope_of_the_route_opens_every_customer(client: httpx.AsyncClient, scope: str):
    assert (await client.get(MINE, headers=bearer(scope))).status_code == 200


async def test_a_customers_token_opens_that_customer_alone(client: httpx.AsyncClient):
    assert (await client.get(MINE, headers=bearer("customer", sub="c-1"))).status_code == 200
    problem(await client.get(MINE, headers=bearer("customer", sub="c-2")), 403, "forbidden")
    problem(
        await client.get("/customers/c-1%2F..%2Fc-2/thing", headers=bearer("customer", sub="c-1")), 404, "not-found"
    )


async def test_a_customer_who_is_staff_too_opens_every_customer(client: httpx.AsyncClient):
    assert (await client.get(MINE, headers=bearer("customer staff", sub="c-2"))).status_code == 200


@pytest.mark.parametrize("scope", ["pos", "", "Ops", "opsx", None, ["ops"], 7])
async def test_a_token_without_a_scope_of_the_route_is_forbidden(client: httpx.AsyncClient, scope: Any):
    answer = await client.get(MINE, headers=bearer(scope))
    problem(answer, 403, "forbidden")
    assert 'error="insufficient_scope"' in answer.headers["www-authenticate"]


async def test_ops_may_not_write_what_customers_write(client: httpx.AsyncClient):
    problem(await client.put(MINE, json={"name": "x"}, headers=bearer("ops")), 403, "forbidden")


def forged(alg: str, sign: Callable[[bytes], bytes]) -> str:
    """A token as no library makes it."""

    def part(content: bytes) -> str:
        return base64.urlsafe_b64encode(content).decode().rstrip("=")

    said = {"iss": "perkstream", "aud": "perkstream", "sub": "s-1", "exp": int(time.time()) + 60, "scope": "ops"}
    parts = [part(json.dumps(each).encode()) for each in ({"alg": alg, "kid": "k1", "typ": "JWT"}, said)]
    return ".".join([*parts, part(sign(".".join(parts).encode()))])


def unsigned() -> str:
    return forged("none", lambda _: b"")


def signed_with_the_public_key() -> str:
    return forged("HS256", lambda content: hmac.digest(KEY.as_pem(private=False), content, "sha256"))


NOW = int(time.time())
BAD = {
    "none": lambda: None,
    "empty": lambda: "Bearer ",
    "basic": lambda: "Basic b3BzOm9wcw==",
    "no token": lambda: "Bearer a.b.c",
    "not ASCII": lambda: b"Bearer \xff\xfe.x.y",
    "endless": lambda: f"Bearer {'a' * 20_000}",
    "two": lambda: f"Bearer {token()} {token()}",
    "alg none": lambda: f"Bearer {unsigned()}",
    "public key as secret": lambda: f"Bearer {signed_with_the_public_key()}",
    "another key, same name": lambda: f"Bearer {token(key=ECKey.generate_key('P-256', {'kid': 'k1'}))}",
    "another key": lambda: f"Bearer {token(key=ECKey.generate_key('P-256', {'kid': 'k2'}))}",
    "another algorithm": lambda: f"Bearer {token(key=ECKey.generate_key('P-384', {'kid': 'k1'}), alg='ES384')}",
    "changed": lambda: f"Bearer {token()[:-6]}AAAAAA",
    "expired": lambda: f"Bearer {token(exp=NOW - 60)}",
    "for ever": lambda: f"Bearer {token(exp=None)}",
    "exp NaN": lambda: f"Bearer {token(exp=float('nan'))}",
    "exp text": lambda: f"Bearer {token(exp='2999')}",
    "not yet": lambda: f"Bearer {token(nbf=NOW + 3_600)}",
    "another audience": lambda: f"Bearer {token(aud='shop')}",
    "no audience": lambda: f"Bearer {token(aud=None)}",
    "another issuer": lambda: f"Bearer {token(iss='shop')}",
    "no issuer": lambda: f"Bearer {token(iss=None)}",
    "no subject": lambda: f"Bearer {token(sub=None)}",
    "empty subject": lambda: f"Bearer {token(sub='')}",
    "subject a number": lambda: f"Bearer {token(sub=7)}",
    "another name of the key": lambda: f"Bearer {token(header={'kid': 'k9'})}",
    "forged": lambda: f"Bearer {forged('ES256', lambda _: b'x' * 64)}",
}


@pytest.mark.parametrize("kind", BAD)
async def test_a_bad_token_is_refused_with_a_challenge(client: httpx.AsyncClient, kind: str):
    sent = BAD[kind]()
    for _ in range(2):  # what its signature says is remembered, not what became of it
        answer = await client.get(MINE, headers={} if sent is None else {b"Authorization": sent})  # type: ignore[dict-item]
        problem(answer, 401, "unauthenticated")
        assert answer.headers["www-authenticate"].startswith("Bearer")


async def test_an_audience_among_others_is_enough(client: httpx.AsyncClient):
    assert (await client.get(MINE, headers=bearer("ops", aud=["shop", "perkstream"]))).status_code == 200


@pytest.mark.filterwarnings("ignore:EdDSA is deprecated")
@pytest.mark.parametrize(
    ("key", "alg"),
    [
        (OKPKey.generate_key("Ed25519", {"kid": "e"}), "Ed25519"),
        (OKPKey.generate_key("Ed25519", {"kid": "e"}), "EdDSA"),
        (RSAKey.generate_key(2048, {"kid": "r"}), "RS256"),
        (ECKey.generate_key("P-256", {"kid": "p"}), "ES256"),
    ],
    ids=["Ed25519", "EdDSA", "RS256", "ES256"],
)
async def test_the_usual_algorithms_are_taken(tmp_path: Path, key: Any, alg: str):
    async with Service(Keys(write_keys(tmp_path / "keys", KEY, key))).client() as client:
        assert (await client.get(MINE, headers=bearer(key=key, alg=alg))).status_code == 200


def test_of_a_set_of_keys_those_for_signatures_are_taken():
    others = [OctKey.generate_key(256).as_dict(private=True), {"kty": "AKP", "kid": "x"}]
    assert [key.kid for key in parse(json.dumps({"keys": [*others, *key_set(KEY)["keys"]]}).encode())] == ["k1"]


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"keys": 1}', '{"keys": []}', '{"keys": [{"kty": "EC"}]}', "\x00"])
def test_a_useless_file_of_keys_stops_the_start_with_the_name_of_the_setting(tmp_path: Path, text: str):
    (tmp_path / "keys").write_text(text)
    settings = Settings(
        kafka_bootstrap="k:1",
        kafka_security_protocol="PLAINTEXT",
        mongo_url=SecretStr("mongodb://m"),
        jwks=str(tmp_path / "keys"),
    )
    with pytest.raises(SystemExit, match="PERKSTREAM_JWKS: is no JWKS"):
        guard(settings)


@pytest.fixture
def provider() -> Iterator[Any]:
    """An identity provider: serves `keys`, or fails, and counts how often it was asked."""

    class Handler(BaseHTTPRequestHandler):
        keys: Any = key_set(KEY)
        status = 200
        asked = 0

        def do_GET(self) -> None:
            Handler.asked += 1
            body = json.dumps(Handler.keys).encode()
            self.send_response(Handler.status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    Handler.address = f"http://127.0.0.1:{server.server_port}/jwks"  # type: ignore[attr-defined]
    yield Handler
    server.shutdown()
    server.server_close()
    thread.join()


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def names(keys: KeySet) -> set[str | None]:
    return {key.kid for key in keys}


async def test_keys_at_an_address_are_read_when_needed_and_again_for_an_unknown_one_once_a_minute(provider: Any):
    clock = Clock()
    keys = Keys(provider.address, clock)
    assert provider.asked == 0
    for _ in range(3):
        assert names(await keys.find("k1")) == {"k1"}
    assert provider.asked == 1
    provider.keys = key_set(KEY, ECKey.generate_key("P-256", {"kid": "k2"}))
    for n in range(5):
        assert names(await keys.find(f"made up {n}")) == {"k1"}
    assert provider.asked == 1
    clock.now += 61
    assert names(await keys.find("k2")) == {"k1", "k2"}
    assert provider.asked == 2


async def test_a_revoked_key_goes_within_an_hour(provider: Any):
    clock = Clock()
    keys = Keys(provider.address, clock)
    await keys.find("k1")
    provider.keys = key_set(ECKey.generate_key("P-256", {"kid": "k2"}))
    clock.now += 3601
    assert names(await keys.find("k1")) == {"k2"}


async def test_a_token_that_was_taken_before_is_refused_once_its_key_is_gone(provider: Any):
    clock = Clock()
    async with Service(Keys(provider.address, clock)).client() as client:
        sent = bearer()
        assert (await client.get(MINE, headers=sent)).status_code == 200
        provider.keys = key_set(ECKey.generate_key("P-256", {"kid": "k2"}))
        assert (await client.get(MINE, headers=sent)).status_code == 200
        clock.now += 3601
        problem(await client.get(MINE, headers=sent), 401, "unauthenticated")


async def test_old_keys_stay_while_the_provider_is_away(provider: Any):
    clock = Clock()
    keys = Keys(provider.address, clock)
    await keys.find("k1")
    provider.status = 500
    clock.now += 4000
    assert names(await keys.find("k1")) == {"k1"}
    provider.status, provider.keys = 200, {"keys": []}
    clock.now += 61
    assert names(await keys.find("k1")) == {"k1"}


async def test_without_keys_ever_a_service_is_unavailable_and_not_open(provider: Any):
    provider.status = 500
    async with Service(Keys(provider.address)).client() as client:
        answer = await client.get(MINE, headers=bearer())
        problem(answer, 503, "unavailable")
        assert answer.headers["retry-after"] == "60"


async def test_a_new_key_in_the_file_is_found(tmp_path: Path):
    clock = Clock()
    keys = Keys(write_keys(tmp_path / "keys", KEY), clock)
    new = ECKey.generate_key("P-256", {"kid": "k2"})
    write_keys(tmp_path / "keys", new)
    clock.now += 61
    assert names(await keys.find("k2")) == {"k2"}


async def test_a_customer_who_asks_too_often_is_told_when_to_come_back(tmp_path: Path):
    clock = Clock()
    service = Service(Keys(write_keys(tmp_path / "keys", KEY)), Limits(rate=0.5, burst=3, clock=clock))
    async with service.client() as client:
        mine = bearer("customer", sub="c-1")
        assert [(await client.get(MINE, headers=mine)).status_code for _ in range(4)] == [200, 200, 200, 429]
        answer = await client.get(MINE, headers=mine)
        problem(answer, 429, "rate-limited")
        assert answer.headers["retry-after"] == "2"
        theirs = await client.get("/customers/c-2/thing", headers=bearer("customer", sub="c-2"))
        assert theirs.status_code == 200
        assert {(await client.get(MINE, headers=bearer("pos staff"))).status_code for _ in range(9)} == {200}
        clock.now += 2
        assert [(await client.get(MINE, headers=mine)).status_code for _ in range(2)] == [200, 429]


def test_the_limits_of_many_customers_stay_small():
    limits = Limits(rate=1, burst=1, clock=lambda: 0.0)
    for n in range(SUBJECTS + 10):
        limits.take(f"c-{n}")
    assert len(limits._buckets) == SUBJECTS
    with pytest.raises(Problem):
        limits.take(f"c-{SUBJECTS + 9}")


@given(st.one_of(st.text(), st.builds(".".join, st.lists(st.text(alphabet='abcyJ0=_-. {}"', max_size=9), max_size=6))))
async def test_whatever_comes_as_a_token_is_refused(sent: str):
    watchman = Guard(LOCAL, "perkstream", "perkstream")
    with pytest.raises(Problem) as refused:
        await watchman.admit(f"Bearer {sent}")
    assert refused.value.status_code == 401
