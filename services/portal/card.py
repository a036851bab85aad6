"""The member card: an opaque id that a till scans, as a QR code."""

from io import BytesIO

import segno
from markupsafe import Markup


def qr(card_id: str) -> Markup:
    """The code as SVG that fills its place. Its error correction (Q) forgives a scratched or dim display."""
    drawn = BytesIO()
    segno.make_qr(card_id, error="q").save(
        drawn, kind="svg", xmldecl=False, svgns=False, omitsize=True, border=4, svgclass="qr", lineclass=None
    )
    return Markup(drawn.getvalue().decode())  # noqa: S704  (our own drawing: nothing of the id is in it as text)
