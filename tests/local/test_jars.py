"""Kafka's jars are the locked ones, whole, or the start stops and says which could not be had."""

from pathlib import Path

import pytest

from deploy.local import jars
from deploy.local.errors import StackError


@pytest.fixture
def offline(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache, and no way out."""
    monkeypatch.setattr(jars, "CACHE", tmp_path)
    for name in ("HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


def test_a_download_that_fails_is_named(offline: Path) -> None:
    assert jars.missing()
    with pytest.raises(StackError, match=r"could not be fetched from Maven Central .*\n.*try again"):
        jars.classpath()


def test_half_a_jar_is_never_used(offline: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    half = offline / "org" / "slf4j" / "slf4j-api" / "1.7.36" / "slf4j-api-1.7.36.jar"
    half.parent.mkdir(parents=True)
    half.write_bytes(b"half")
    locked = [line for line in jars.LIST.read_text().splitlines() if line.endswith("org.slf4j:slf4j-api:1.7.36")]
    one = offline / "jars.txt"
    one.write_text("\n".join(["#", *locked]))
    monkeypatch.setattr(jars, "LIST", one)

    with pytest.raises(StackError, match="slf4j-api"):
        jars.classpath()

    assert not half.exists()
