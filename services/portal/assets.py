"""The files that pages load, from our own origin, under addresses that name their content."""

import hashlib
import mimetypes
from collections.abc import Sequence
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import Final

from fastapi import APIRouter, Response
from msgspec import Struct

from shared.http.problems import Problem

_HERE: Final = files("services.portal")
_PACKAGES: Final = _HERE / "frontend" / "node_modules"
_HTMX: Final = _PACKAGES / "htmx.org" / "dist"
_FILES: Final[dict[str, tuple[Traversable, ...]]] = {
    "pico.css": (_PACKAGES / "@picocss" / "pico" / "css" / "pico.min.css",),
    # In one file: htmx looks at the page as soon as it is loaded, and an extension that comes later comes too late.
    "htmx.js": (_HTMX / "htmx.min.js", _HTMX / "ext" / "hx-sse.min.js"),
    "portal.css": (_HERE / "assets" / "portal.css",),
    "portal.js": (_HERE / "assets" / "portal.js",),
    "icon.svg": (_HERE / "assets" / "icon.svg",),
}
WORKER: Final = "worker.js"  # has an address of its own: browsers look there whether it has changed
FOR_EVER: Final = "public, max-age=31536000, immutable"


class Asset(Struct, frozen=True):
    """A file. `address` changes with its content."""

    address: str
    body: bytes
    kind: str


class Assets:
    """All files, read at start."""

    def __init__(self) -> None:
        """Stops the process when the front-end packages are not installed."""
        missing = [name for name, some in _FILES.items() if not all(file.is_file() for file in some)]
        if missing:
            raise SystemExit(f"portal: {', '.join(missing)}: not there; `make setup` installs the front-end packages")
        self._files = {name: _read(name, some) for name, some in _FILES.items()}
        # What a card needs without a network: styles, and the script that shows it; the worker keeps both.
        listed = ", ".join(f'"{self.address(name)}"' for name in ("pico.css", "portal.css", "portal.js", "icon.svg"))
        worker = (_HERE / "assets" / WORKER).read_text(encoding="utf-8")
        self.worker = worker.replace("/* files */", listed).encode()

    def address(self, name: str) -> str:
        """Where browsers find a file."""
        return self._files[name].address

    def routes(self) -> APIRouter:
        """`/static/{mark}/{name}`."""
        router = APIRouter(include_in_schema=False)

        @router.get("/static/{mark}/{name}")
        async def static(mark: str, name: str) -> Response:
            asset = self._files.get(name)
            if asset is None or asset.address != f"/static/{mark}/{name}":
                raise Problem("not-found")
            return Response(asset.body, media_type=asset.kind, headers={"Cache-Control": FOR_EVER})

        return router


def _read(name: str, some: Sequence[Traversable]) -> Asset:
    body = b"\n".join(file.read_bytes() for file in some)
    mark = hashlib.sha256(body).hexdigest()[:16]
    return Asset(f"/static/{mark}/{name}", body, mimetypes.guess_type(name)[0] or "application/octet-stream")
