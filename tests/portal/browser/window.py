"""A browser window on the portal, and what must hold in it whatever the page shows."""

from pathlib import Path
from typing import Any, Final

from playwright.async_api import Browser, BrowserContext, Page, expect

AXE: Final = Path(__file__).parents[3] / "services/portal/frontend/node_modules/axe-core/axe.min.js"
RULES: Final = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
COLOURS: Final = ["color-contrast", "link-in-text-block"]  # all of these rules that a colour scheme changes
PATIENCE_MS: Final = 30_000  # of a machine that is busy with other tests
PHONE: Final = (390, 844)

expect.set_options(timeout=PATIENCE_MS)


class Window:
    """A window, of a context of its own. `faults`: what no page may ever do."""

    def __init__(self, url: str, context: BrowserContext, page: Page) -> None:
        self.url, self.context, self.page = url, context, page
        self.faults: list[str] = []
        page.on("request", lambda request: self._if(not request.url.startswith(url), f"asked {request.url}"))
        page.on("pageerror", lambda error: self._if(True, f"script: {error}"))
        page.on("dialog", lambda dialog: self._if(True, f"dialog: {dialog.message}"))
        page.on("console", lambda said: self._if("Content Security Policy" in said.text, said.text))

    def _if(self, wrong: bool, fault: str) -> None:
        if wrong:
            self.faults.append(fault)

    async def open(self, path: str) -> None:
        """Open a page."""
        await self.page.goto(f"{self.url}{path}")

    async def accessible(self) -> None:
        """Assert that axe-core finds nothing on the page, light or dark, and that it is not wider than the window."""
        if not await self.page.evaluate("() => 'axe' in window"):
            await self.page.evaluate(AXE.read_text(encoding="utf-8"))
        await self._axe(RULES)
        await self.page.emulate_media(color_scheme="dark")
        await self._axe({"type": "rule", "values": COLOURS})
        await self.page.emulate_media(color_scheme="light")
        wide = await self.page.evaluate(
            "() => document.documentElement.scrollWidth - document.documentElement.clientWidth"
        )
        assert wide <= 0

    async def _axe(self, rules: Any) -> None:
        # What fades in has little contrast on its way.
        await self.page.evaluate("() => Promise.allSettled(document.getAnimations().map((one) => one.finished))")
        options = {"runOnly": rules, "resultTypes": ["violations"]}
        found = await self.page.evaluate("(options) => axe.run(document, options)", options)
        faults = [(one["id"], [node["target"] for node in one["nodes"]]) for one in found["violations"]]
        assert not faults, (self.page.url, faults)

    async def focused(self) -> str:
        """The id of what has the focus."""
        return await self.page.evaluate("() => document.activeElement.id")

    async def keeps_card(self) -> bool:
        """Whether this browser keeps a member card."""
        return await self.page.evaluate("() => caches.match('/my-bonus/card').then(Boolean)")

    async def keeps_no_card(self) -> bool:
        """Whether it keeps none."""
        return not await self.keeps_card()

    async def tab_to(self, selector: str) -> None:
        """Press Tab until an element has the focus; it must show that it has."""
        for _ in range(60):
            await self.page.keyboard.press("Tab")
            if await self.page.evaluate("(selector) => document.activeElement.matches(selector)", selector):
                break
        else:
            raise AssertionError(f"{selector} cannot be reached by Tab")
        assert await self.page.evaluate(
            "() => { const {outlineStyle, boxShadow} = getComputedStyle(document.activeElement);"
            " return outlineStyle !== 'none' || boxShadow !== 'none'; }"
        ), f"{selector} does not show that it has the focus"


async def context_of(
    browser: Browser, size: tuple[int, int] = PHONE, *, locale: str = "en", **window: Any
) -> BrowserContext:
    """A browser that has never been here. `window`: further options of Playwright's."""
    width, height = size
    context = await browser.new_context(locale=locale, viewport={"width": width, "height": height}, **window)
    context.set_default_timeout(PATIENCE_MS)
    return context
