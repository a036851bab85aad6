"""`python -m deploy.local run | up | down`, which is what make calls."""

import importlib
import logging
import sys

from deploy.local.background import console
from deploy.local.errors import StackError

# Command -> the module that has it, loaded when it is called: the system's takes seconds.
COMMANDS = {"up": "background", "down": "background", "run": "foreground", "hold": "foreground"}


def main() -> None:
    """Do what the first argument says; trouble is told in words, without a traceback."""
    name = " ".join(sys.argv[1:])
    if name not in COMMANDS:
        raise SystemExit(__doc__)
    logging.disable()  # libraries tell what they retry; what stays wrong is raised
    try:
        getattr(importlib.import_module(f"deploy.local.{COMMANDS[name]}"), name)()
    except StackError as trouble:
        console.print(str(trouble), markup=False, soft_wrap=True)
        raise SystemExit(1) from None


if __name__ == "__main__":
    main()
