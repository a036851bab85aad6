"""Customers with a browser at a portal that stands alone: for pages that the whole system is not needed for."""

from typing import Any

from playwright.async_api import Browser, BrowserContext, Page, expect

from tests.portal.browser.window import PHONE, Window, context_of
from tests.portal.stand import Stand, link
from tests.portal.world import Customer


class Visitor(Window):
    """A customer's window; `signed_in` or not."""

    def __init__(self, customer_id: str, stand: Stand, context: BrowserContext, page: Page) -> None:
        super().__init__(stand.url, context, page)
        self.customer_id = customer_id

    async def sign_in(self) -> None:
        """Open a sign-in link."""
        await self.open(f"/sign-in?login_hint={link(self.customer_id)}")
        await expect(self.page).to_have_url(f"{self.url}/my-bonus")


async def visitor(
    stand: Stand, browser: Browser, customer: Customer, size: tuple[int, int] = PHONE, **window: Any
) -> Visitor:
    """Somebody whose account is written, and who is signed in."""
    await stand.keep(customer)
    context = await context_of(browser, size, **window)
    found = Visitor(customer.customer_id, stand, context, await context.new_page())
    await found.sign_in()
    return found
