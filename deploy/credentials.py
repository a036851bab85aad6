"""`python -m deploy.credentials`: the passwords, keys and settings that compose.yaml mounts, in deploy/secrets.

A second time it keeps what is there, and renews the tokens of the operator and of the notifier.
"""

import json
from pathlib import Path

from deploy.local import keys, tokens
from deploy.local.kafka import MECHANISM
from deploy.local.mongo import REPLICA_SET
from deploy.local.provision import OUTSIDE, PRINCIPALS
from shared.contracts.topics import SERVICES
from shared.settings import PREFIX

FOLDER = Path(__file__).with_name("secrets")
# Names of compose.yaml.
KAFKA, MONGO = "kafka:9092", "mongo:27017"
URLS = {f"{name.upper()}_URL": f"http://{name}:{8181 if name == 'portal' else 8000}" for name in SERVICES}
MASTER_KEYS = "file:/var/lib/perkstream/master-keys"  # or "aws", as docs/keys.md says
CHANNELS = """\
# How messages leave; this file is yours. Without settings a channel is off. See docs/run-it.md, "Settings".
# PERKSTREAM_SMTP_HOST=smtp.shop.example
# PERKSTREAM_MAIL_FROM=My Shop <bonus@shop.example>
"""
OPERATOR = "ops"
FIRST = ("broker", OPERATOR)
"""Whom Kafka must know before its first start, so that somebody can log in and tell it about the others."""

# Containers read mounted files as users of their own: those are open to all, inside a folder that is closed to others.
MOUNTED, KEPT = 0o644, 0o600


def make(folder: Path) -> None:
    """Write what a compose system needs, one file each, into that folder, which git then ignores."""
    run = folder / "operator"
    for each, mode in ((folder, 0o700), (run, 0o755), (folder / "passwords", 0o755)):
        each.mkdir(parents=True, exist_ok=True)
        each.chmod(mode)
    _write(folder / ".gitignore", "*\n", KEPT)
    made = keys.load(folder, list(PRINCIPALS))
    for file in (made.jwks_file, made.signing_key_file):
        file.chmod(MOUNTED)
    for name, password in made.passwords.items():
        _write(folder / "passwords" / name, password, MOUNTED)
    first = (f"--add-scram\n{MECHANISM}=[name={name},password={made.passwords[name]}]\n" for name in FIRST)
    _write(folder / "kafka.format", "".join(first), MOUNTED)
    _write(folder / "notifier.token", tokens.of_notifier(made.signing_key), MOUNTED)
    own = {
        "profile": {"MASTER_KEYS": MASTER_KEYS},
        "ledger": {"COUPON_SECRET": made.coupon_secret},
        "notifier": {"UNSUBSCRIBE_KEY": made.unsubscribe_key},
    }
    for name in (*SERVICES, OPERATOR):
        settings = _kafka(name, made) | {"MONGO_URL": _mongo(name, made)} | own.get(name, {})
        _write_settings(folder / f"{name}.env", PREFIX, settings)
    if not (folder / "channels.env").exists():
        _write(folder / "channels.env", CHANNELS, KEPT)
    for name in OUTSIDE:
        _write_settings(folder / f"{name}.env", "", _kafka(name, made))
    # Mounted as the `.run` where the `perkstream` command finds a system, an operator's token and the key to sign more.
    databases = {"MONGO_URL": _mongo(OPERATOR, made), "MASTER_KEYS": MASTER_KEYS}
    more = URLS | databases | {"OPS_TOKEN": tokens.sign(made.signing_key, "ops"), "STACK": "."}
    _write_settings(run / "env", "", _kafka(OPERATOR, made) | more, MOUNTED)
    _write(run / "secrets.json", json.dumps({"signing_key": made.signing_key}), MOUNTED)


def _kafka(name: str, made: keys.Keys) -> dict[str, str]:
    return {
        "KAFKA_BOOTSTRAP": KAFKA,
        "KAFKA_SECURITY_PROTOCOL": "SASL_PLAINTEXT",  # one network of one host; SASL_SSL as soon as there are two
        "KAFKA_SASL_MECHANISM": MECHANISM,
        "KAFKA_USERNAME": name,
        "KAFKA_PASSWORD": made.passwords[name],
    }


def _mongo(name: str, made: keys.Keys) -> str:
    database = "" if name == OPERATOR else name
    return f"mongodb://{name}:{made.passwords[name]}@{MONGO}/{database}?authSource=admin&replicaSet={REPLICA_SET}"


def _write_settings(file: Path, prefix: str, settings: dict[str, str], mode: int = KEPT) -> None:
    _write(file, "".join(f"{prefix}{name}={value}\n" for name, value in settings.items()), mode)


def _write(file: Path, text: str, mode: int) -> None:
    file.touch(mode=mode)
    file.chmod(mode)
    file.write_text(text)


if __name__ == "__main__":
    make(FOLDER)
    print(f"The secrets of compose.yaml are in {FOLDER}")
