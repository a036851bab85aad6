"""`python -m deploy.local run | up | down`, which is what make calls."""

import sys

from rich.console import Console

from deploy.cli.trouble import Trouble
from deploy.local import commands
from deploy.local.errors import StackError

COMMANDS = {"run": commands.run, "up": commands.up, "down": commands.down, "hold": commands.hold}


def main() -> None:
    """Do what the first argument says; trouble is told in words, without a traceback."""
    command = COMMANDS.get(" ".join(sys.argv[1:]))
    if command is None:
        raise SystemExit(__doc__)
    try:
        command()
    except (StackError, Trouble) as trouble:
        Console(stderr=True).print(str(trouble), markup=False, highlight=False, soft_wrap=True)
        raise SystemExit(1) from None


if __name__ == "__main__":
    main()
