"""`python -m tests.portal.browser.screenshots`: the pictures of docs/images, of a customer in a running system."""

import asyncio
import tempfile
from pathlib import Path
from typing import Final

from playwright.async_api import Page, async_playwright, expect

from deploy.local.system import System
from tests.faults.waiting import until
from tests.portal.browser import chromium
from tests.portal.browser.shop import Customer, Shop

IMAGES: Final = Path(__file__).parents[3] / "docs" / "images"
LARGE: Final = (1180, 760)
LONG: Final = 1500  # of a page that goes on: beyond that there is little to see, and much to store
SMALL: Final = (390, 844)


async def main() -> None:
    """Start a system, let a customer go from 25 to 100 %, and take pictures on the way."""
    IMAGES.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        async with (
            System.start(Path(folder) / "up") as system,
            Shop.open(system) as shop,
            async_playwright() as tools,
        ):
            path = chromium.find(tools.chromium.executable_path)
            async with await tools.chromium.launch(executable_path=path, args=chromium.OPTIONS) as browser:
                anna = await shop.customer(browser, size=LARGE, reduced_motion="reduce")
                await _path(anna)
                for name, language, scheme in (("phone-de", "de", "light"), ("phone-ru-dark", "ru", "dark")):
                    bert = await shop.customer(browser, language, SMALL, color_scheme=scheme, reduced_motion="reduce")
                    await _bought(bert, 520_00)
                    await _shoot(bert.page, name)


async def _path(anna: Customer) -> None:
    page = anna.page
    await _bought(anna, 480_00)
    await _shoot(page, "new")
    await page.fill("#field-phone", "12")
    await page.get_by_role("button", name="Save").click()
    await expect(page.locator("#wrong-phone")).to_be_visible()
    await page.locator("#completion").screenshot(path=IMAGES / "refused.png")
    await page.reload()
    await anna.shop.buys(anna.customer_id, 72_50)
    await expect(page.locator("#waiting")).to_be_visible()
    await _shoot(page, "status", long=True)
    for field, text in (
        ("phone", "+49 30 123456"),
        ("birthday", "1980-02-29"),
        ("address", "Example Road 1, 10115 Berlin"),
    ):
        await page.fill(f"#field-{field}", text)
    await page.get_by_role("button", name="Save").click()
    await expect(page.locator("#outcome")).to_contain_text("Done!")
    await expect(page.locator(".benefits.unlocking")).to_have_count(0)
    await _shoot(page, "complete", long=True)
    await anna.open("/my-bonus/card")
    await page.get_by_role("button", name="Show my card").click()
    await expect(page.locator(".plastic")).to_be_visible()
    await _shoot(page, "card")


async def _bought(customer: Customer, minor: int) -> None:
    await customer.shop.buys(customer.customer_id, minor)
    await until(lambda: customer.shop.shows(customer.customer_id, turnover=minor, pending=minor // 100), "a purchase")
    await customer.sign_in()


async def _shoot(page: Page, name: str, *, long: bool = False) -> None:
    await page.evaluate("() => { document.activeElement.blur(); scrollTo(0, 0); }")
    if long:
        await page.set_viewport_size({"width": LARGE[0], "height": LONG})
    await page.screenshot(path=IMAGES / f"{name}.png")
    if long:
        await page.set_viewport_size({"width": LARGE[0], "height": LARGE[1]})


if __name__ == "__main__":
    asyncio.run(main())
