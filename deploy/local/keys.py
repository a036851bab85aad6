"""The secrets of one system: passwords, and the keys that sign tokens, links and codes, made on its first start."""

import json
import os
import secrets
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from joserfc.jwk import ECKey, KeySet

OTHERS = {"mongo_key": 64, "unsubscribe_key": 32, "coupon_secret": 32}
"""Bytes of secrets that are nothing but random."""


@dataclass(frozen=True)
class Keys:
    """What secrets.json of a stack holds. `passwords`: of each principal, the same for Kafka and MongoDB.

    `signing_key`: of tokens, also in a file of its own; `unsubscribe_key`: of links in messages; `coupon_secret`: what
    the codes of coupons are made of.
    """

    passwords: dict[str, str] = field(repr=False)
    signing_key: dict[str, Any] = field(repr=False)
    unsubscribe_key: str = field(repr=False)
    coupon_secret: str = field(repr=False)
    jwks_file: Path
    signing_key_file: Path
    mongo_key_file: Path


def load(folder: Path, principals: list[str]) -> Keys:
    """The secrets in that folder; what is missing is made and kept, readable by its owner alone."""
    folder.mkdir(parents=True, exist_ok=True)
    file, mongo_key_file = folder / "secrets.json", folder / "mongo.key"
    jwks_file, signing_key_file = folder / "jwks.json", folder / "signing.json"
    kept: dict[str, Any] = json.loads(file.read_text()) if file.exists() else {}
    passwords: dict[str, str] = kept.get("passwords", {})
    # Hexadecimal: it needs no quoting in a URL, a properties file or a command line.
    passwords |= {name: secrets.token_hex(16) for name in principals if name not in passwords}
    signing_key: dict[str, Any] = kept.get("signing_key") or _new_key()
    others = {name: kept.get(name) or secrets.token_hex(size) for name, size in OTHERS.items()}
    _write(file, json.dumps({"passwords": passwords, "signing_key": signing_key, **others}))
    _write(mongo_key_file, others["mongo_key"])
    _write(signing_key_file, json.dumps(signing_key))
    _write(jwks_file, json.dumps(KeySet([ECKey.import_key(signing_key)]).as_dict(private=False)))
    return Keys(
        passwords=passwords,
        signing_key=signing_key,
        unsubscribe_key=others["unsubscribe_key"],
        coupon_secret=others["coupon_secret"],
        jwks_file=jwks_file,
        signing_key_file=signing_key_file,
        mongo_key_file=mongo_key_file,
    )


def _new_key() -> dict[str, Any]:
    return ECKey.generate_key("P-256", {"use": "sig", "alg": "ES256"}, auto_kid=True).as_dict(private=True)


def _write(file: Path, text: str) -> None:
    """Replace the file as a whole, so that a killed start leaves the old secrets or the new, never half of them.

    What is as it should be stays untouched: several processes may read at once, and only the first start writes.
    """
    if file.exists() and file.read_text() == text:
        return
    new = file.with_suffix(".new")
    new.unlink(missing_ok=True)
    with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as out:
        out.write(text)
    new.replace(file)
