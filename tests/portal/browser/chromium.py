"""Finds a Chromium, or installs one."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

NAMES = ("chromium", "chromium-browser", "google-chrome-stable", "google-chrome")
# Debian's runs as root only so, and asks its maker's servers for news by itself. No GPU: nobody looks.
OPTIONS = [
    "--no-sandbox",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-quic",
    "--disable-sync",
    "--disable-gpu",
    "--in-process-gpu",
]
# The distribution's first: Playwright's own comes from one address, which a closed network does not reach.
INSTALL = (
    ["apt-get", "update"],
    ["apt-get", "install", "--yes", "--no-install-recommends", "chromium"],
    [sys.executable, "-m", "playwright", "install", "--with-deps", "chromium"],
)


class MissingError(Exception):
    """There is no browser, and none can be had."""


def find(own: str) -> str:
    """The path of a browser. `own`: where Playwright would have its own."""
    for attempt in (None, *INSTALL):
        if attempt is not None:
            _try(attempt)
        found = next((path for name in NAMES if (path := shutil.which(name))), own)
        if Path(found).exists():
            return found
    raise MissingError("no Chromium: `apt-get install chromium`, or `.venv/bin/playwright install chromium`")


def is_ci() -> bool:
    """Whether a missing browser is a failure."""
    return os.environ.get("CI", "").lower() not in {"", "0", "false"}


def _try(command: list[str]) -> None:
    if shutil.which(command[0]) is not None:
        subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, timeout=600, check=False)
