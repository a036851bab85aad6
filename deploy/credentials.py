"""`python -m deploy.credentials`: the passwords, keys and settings that compose.yaml mounts, in deploy/secrets.

A second time it keeps what is there, and renews the operator's token.
"""

from pathlib import Path

from deploy.local import keys, tokens
from deploy.local.kafka import MECHANISM
from deploy.local.mongo import REPLICA_SET
from deploy.local.provision import OUTSIDE, PRINCIPALS
from shared.contracts.topics import SERVICES
from shared.settings import PREFIX

FOLDER = Path(__file__).with_name("secrets")
OPERATOR = "ops"
BEFORE_THE_FIRST_START = ("broker", OPERATOR)
"""Kafka must know them before anybody can log in to tell it about the others."""


def make(folder: Path) -> None:
    """Write what is missing there, one file each. The folder is closed to others and ignored by git.

    What containers read as users of their own is open to all inside that closed folder.
    """
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o700)
    _write(folder / ".gitignore", "*\n")
    found = keys.load(folder, list(PRINCIPALS))
    found.jwks_file.chmod(0o644)
    passwords = found.passwords
    for name, password in passwords.items():
        _write(folder / "passwords" / name, password)
    logins = [f"--add-scram\n{MECHANISM}=[name={name},password={passwords[name]}]" for name in BEFORE_THE_FIRST_START]
    _write(folder / "kafka.format", "\n".join(logins) + "\n")
    for name in (*SERVICES, OPERATOR):
        database = "" if name == OPERATOR else name
        url = f"mongodb://{name}:{passwords[name]}@mongo:27017/{database}?authSource=admin&replicaSet={REPLICA_SET}"
        _write_env(folder / f"{name}.env", PREFIX, name, passwords[name], MONGO_URL=url)
    for name in OUTSIDE:
        _write_env(folder / f"{name}.env", "", name, passwords[name])
    # The `perkstream` command in a container finds these as a system's `.run`.
    signing = found.signing_key
    keys.write(folder / "operator" / "secrets.json", {"signing_key": signing})
    _write_env(folder / "operator" / "env", "", OPERATOR, passwords[OPERATOR], OPS_TOKEN=tokens.sign(signing, "ops"))


def _write_env(file: Path, prefix: str, name: str, password: str, **more: str) -> None:
    values = {"KAFKA_USERNAME": name, "KAFKA_PASSWORD": password} | more
    _write(file, "".join(f"{prefix}{key}={value}\n" for key, value in values.items()))


def _write(file: Path, text: str) -> None:
    file.parent.mkdir(exist_ok=True)
    file.write_text(text)


if __name__ == "__main__":
    make(FOLDER)
    print(f"{FOLDER} holds the secrets of compose.yaml")
