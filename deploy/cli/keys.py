"""`perkstream keys`: the versions of the master key under which profile's customers' keys are wrapped."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Final

from pymongo.errors import InvalidURI, OperationFailure
from rich.table import Table
from rich.text import Text

from deploy.cli.progress import Bar
from deploy.cli.trouble import Trouble, results
from shared.masterkeys.kms import GoneError, Kms, connect
from shared.mongo import Mongo, Unavailable
from shared.runtime import rotation
from shared.runtime.owned import KEYS

DATABASE: Final = "profile"


async def listing(mongo_url: str, master_keys: str) -> None:
    """Print the versions, oldest first."""
    async with _opened(mongo_url, master_keys) as (mongo, _):
        found = await rotation.versions(mongo)
    table = Table("version", "state", "made", "customers' keys", "master key")
    for one in found:
        made = one.made_at.isoformat(" ", "seconds")
        table.add_row(str(one.number), one.state, made, f"{one.keys:,}", Text(one.ref))
    results.print(table if found else "there is none yet: profile makes the first", highlight=False)


async def rotate(mongo_url: str, master_keys: str) -> None:
    """Make a version, or finish what a rotation began that was cut off, and print what was done."""
    async with _opened(mongo_url, master_keys) as (mongo, kms):
        with Bar("wrapping", await mongo.count(KEYS, {})) as bar:
            version, moved = await rotation.rotate(mongo, kms, lambda seen: bar.at(seen, seen))
    results.print(f"version {version} wraps all keys; {moved:,} were moved to it", highlight=False)


async def destroy(mongo_url: str, master_keys: str, version: int) -> None:
    """Destroy a version, and say so."""
    async with _opened(mongo_url, master_keys) as (mongo, kms):
        await rotation.destroy(mongo, kms, version)
    results.print(f"version {version} is destroyed", highlight=False)


@asynccontextmanager
async def _opened(mongo_url: str, master_keys: str) -> AsyncGenerator[tuple[Mongo, Kms], None]:
    """The database and the KMS; what goes wrong with them becomes `Trouble`."""
    try:
        kms = connect(master_keys)
        mongo = Mongo(mongo_url, DATABASE)
    except ImportError as error:
        raise Trouble(f"MASTER_KEYS: {master_keys} needs the package {error.name}") from None
    except InvalidURI as error:
        raise Trouble(f"MONGO_URL: {error}") from None
    except ValueError as error:
        raise Trouble(f"MASTER_KEYS: {error}") from None
    try:
        yield mongo, kms
    except (rotation.RotationError, GoneError) as error:
        raise Trouble(str(error)) from None
    except Unavailable as error:
        raise Trouble(f"out of reach: {error}; nothing is lost, run it again") from None
    except OperationFailure as error:
        raise Trouble(f"MongoDB: {(error.details or {}).get('errmsg', error)}") from None
    finally:
        await mongo.close()
