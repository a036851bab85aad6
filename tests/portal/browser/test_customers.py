"""What customers do on the page: with and without a script, in three languages, by keyboard, on small screens."""

import re

import pytest
from playwright.async_api import Browser, Page, Route, expect

from tests.faults.waiting import until
from tests.portal.browser.shop import Customer, Shop

pytestmark = pytest.mark.asyncio(loop_scope="session")

WORDS = {
    "en": {
        "save": "Save",
        "saved": "Saved.",
        "done": "Done!",
        "silver": "Silver",
        "to_silver": "€20.00",
        "to_gold": "€1,420.00",
    },
    "de": {
        "save": "Speichern",
        "saved": "Gespeichert.",
        "done": "Geschafft!",
        "silver": "Silber",
        "to_silver": "20,00",
        "to_gold": "1.420,00",
    },
    "ru": {
        "save": "Сохранить",
        "saved": "Сохранено.",
        "done": "Готово!",
        "silver": "Серебро",
        "to_silver": "20,00",
        "to_gold": "1 420,00",
    },
}
SMALL, LARGE = (320, 640), (1280, 900)
# Both sizes; every pair of language and size only where there is time, in `make chaos`.
SIGHTS = pytest.mark.parametrize(
    ("language", "size"),
    [
        pytest.param("en", SMALL, id="small-en"),
        pytest.param("de", LARGE, id="large-de"),
        pytest.param("ru", SMALL, id="small-ru", marks=pytest.mark.chaos),
        pytest.param("en", LARGE, id="large-en", marks=pytest.mark.chaos),
        pytest.param("de", SMALL, id="small-de", marks=pytest.mark.chaos),
        pytest.param("ru", LARGE, id="large-ru", marks=pytest.mark.chaos),
    ],
)
SCRIPT = "<img src=x onerror=alert(1)><script>alert(1)</script> Road 1"


async def save(page: Page, word: str) -> None:
    await page.get_by_role("button", name=word, exact=True).first.click()


@SIGHTS
async def test_the_whole_path_from_25_to_100_percent(
    shop: Shop, browser: Browser, language: str, size: tuple[int, int]
) -> None:
    words = WORDS[language]
    anna = await shop.customer(browser, language, size=size)
    page = anna.page
    await anna.sign_in()
    await expect(page.locator("#percent")).to_contain_text("25")
    await expect(page.locator("html")).to_have_attribute("lang", language)
    await anna.accessible()

    # A purchase at the till moves bar and balance on the open page.
    await shop.buys(anna.customer_id, 480_00)
    await expect(page.locator("#headline")).to_contain_text(_spaced(words["to_silver"]))
    await expect(page.locator("#history")).to_contain_text(_spaced("480"))

    # A value that is refused stays in its field, with the reason and the focus, and nothing is saved.
    await page.fill("#field-phone", "12")
    await page.fill("#field-birthday", "1980-02-29")
    await save(page, words["save"])
    await expect(page.locator("#wrong-phone")).to_be_visible()
    assert await anna.focused() == "field-phone"
    assert await page.input_value("#field-phone") == "12"
    assert await page.input_value("#field-birthday") == "1980-02-29"
    await expect(page.locator("#percent")).to_contain_text("25")
    await anna.accessible()

    # Several at a time; bar, checklist and benefits change without a reload, and the change is announced.
    await page.evaluate("() => { window.stayed = true; }")
    await page.fill("#field-phone", "+49 30 123456")
    await save(page, words["save"])
    await expect(page.locator("#percent")).to_contain_text("75")
    await expect(page.locator("#outcome")).to_contain_text(words["saved"])
    await expect(page.locator("#field-phone")).to_have_count(0)
    await expect(page.locator(".benefits.available")).to_contain_text(re.compile("Reminder|Erinnerung|Напоминание"))
    await expect(page.locator("#announce")).not_to_be_empty()

    # The status comes, and its benefits wait for the profile alone: now the warning stands.
    await expect(page.locator("#waiting")).to_have_count(0)
    await shop.buys(anna.customer_id, 100_00)
    await expect(page.locator("#headline .tier")).to_have_text(words["silver"])
    await expect(page.locator("#waiting")).to_be_visible()
    await anna.accessible()

    await page.fill("#field-address", SCRIPT)
    await save(page, words["save"])
    await expect(page.locator("#percent")).to_contain_text("100")
    await expect(page.locator("#outcome")).to_contain_text(words["done"])
    await expect(page.locator(".celebration")).to_have_count(1)
    await expect(page.locator("#waiting")).to_have_count(0)
    await expect(page.locator("#headline")).to_contain_text(_spaced(words["to_gold"]))
    await expect(page.locator(".benefits.available > li")).to_have_count(5)
    assert await page.evaluate("() => window.stayed")
    await anna.accessible()
    await page.goto(f"{shop.url}/my-bonus/data")
    assert await page.input_value("#field-address") == SCRIPT
    await anna.accessible()
    assert anna.faults == []
    await anna.context.close()


@SIGHTS
async def test_the_whole_path_without_a_script(
    shop: Shop, browser: Browser, language: str, size: tuple[int, int]
) -> None:
    words = WORDS[language]
    anna = await shop.customer(browser, language, size=size, java_script_enabled=False)
    page = anna.page
    await anna.sign_in()
    await expect(page.locator("#percent")).to_contain_text("25")
    await shop.buys(anna.customer_id, 580_00)
    await until(lambda: shop.shows(anna.customer_id, turnover=580_00), "a purchase")
    await page.reload()
    await expect(page.locator("#headline .tier")).to_have_text(words["silver"])

    await page.fill("#field-phone", "12")
    await save(page, words["save"])
    await expect(page.locator("#wrong-phone")).to_be_visible()
    assert await page.input_value("#field-phone") == "12"
    await expect(page.locator("#field-phone")).to_be_focused()

    await page.fill("#field-phone", "+49 30 123456")
    await page.fill("#field-birthday", "1980-02-29")
    await save(page, words["save"])
    await expect(page).to_have_url(re.compile("done=saved#completion$"))
    await expect(page.locator("#percent")).to_contain_text("75")

    await page.fill("#field-address", SCRIPT)
    await save(page, words["save"])
    await expect(page.locator("#percent")).to_contain_text("100")
    await expect(page.locator("#outcome")).to_contain_text(words["done"])

    await page.check("#reminders")
    await page.locator("#settings").get_by_role("button").first.click()
    await expect(page.locator("#reminders")).to_be_checked()
    await expect(page.locator("#settled")).not_to_be_empty()
    assert anna.faults == []
    await anna.context.close()


async def test_reminders_and_consents_stay_as_they_are_set(shop: Shop, browser: Browser) -> None:
    anna = await shop.customer(browser)
    await anna.sign_in()
    await anna.page.check("#reminders")
    await expect(anna.page.locator("#settled")).to_contain_text("saved")
    async with anna.page.expect_response("**/my-bonus/consents"):
        await anna.page.check("#consent-marketing")
    async with anna.page.expect_response("**/my-bonus/consents"):
        await anna.page.uncheck("#consent-programme")
    consents = {"programme": False, "marketing": True, "profiling": False}
    # An answer does not wait for ever until the portal has heard of a change.
    await until(lambda: shop.knows(anna.customer_id, reminders=True, consents=consents), "the portal")
    await anna.page.reload()
    await expect(anna.page.locator("#reminders")).to_be_checked()
    await expect(anna.page.locator("#consent-marketing")).to_be_checked()
    await expect(anna.page.locator("#consent-programme")).not_to_be_checked()
    await expect(anna.page.locator("#consent-profiling")).not_to_be_checked()
    assert anna.faults == []
    await anna.context.close()


async def test_everything_is_reached_and_done_by_keyboard(shop: Shop, browser: Browser) -> None:
    anna = await shop.customer(browser)
    await anna.sign_in()
    page = anna.page
    await page.keyboard.press("Tab")
    await expect(page.locator(".skip")).to_be_focused()
    await page.keyboard.press("Enter")
    await anna.tab_to("#field-phone")
    await page.keyboard.type("+49 30 123456")
    await page.keyboard.press("Enter")
    await expect(page.locator("#percent")).to_contain_text("50")
    await expect(page.locator("#completion-title")).to_be_focused()
    await anna.tab_to("#reminders")
    await page.keyboard.press("Space")
    await expect(page.locator("#settled")).to_contain_text("saved")
    assert anna.faults == []
    await anna.context.close()


async def test_nothing_moves_for_those_who_want_no_motion(shop: Shop, browser: Browser) -> None:
    anna = await shop.customer(browser, reduced_motion="reduce")
    await anna.sign_in()
    page = anna.page
    for field, text in (("phone", "+49 30 123456"), ("birthday", "1980-02-29"), ("address", "Road 1")):
        await page.fill(f"#field-{field}", text)
    await save(page, "Save")
    await expect(page.locator("#percent")).to_contain_text("100")
    await expect(page.locator("#outcome")).to_contain_text("Done!")
    await expect(page.locator(".celebration")).to_be_hidden()
    assert await page.evaluate("() => document.getAnimations().length") == 0
    await anna.context.close()


async def test_every_page_is_accessible_at_320_pixels_and_at_400_percent(shop: Shop, browser: Browser) -> None:
    # A window of 1280 by 1024 at 400 % is one of 320 by 256.
    anna = await shop.customer(browser, size=(320, 256))
    await anna.sign_in()
    await shop.buys(anna.customer_id, 580_00)
    await expect(anna.page.locator("#headline .tier")).to_have_text("Silver")
    await anna.accessible()
    await anna.page.click("#table > summary")
    await anna.accessible()
    await anna.page.fill("#field-phone", "12")
    await save(anna.page, "Save")
    await expect(anna.page.locator("#wrong-phone")).to_be_visible()
    await anna.accessible()
    for field, text in (("phone", "+49 30 123456"), ("birthday", "1980-02-29"), ("address", "Road 1")):
        await anna.page.fill(f"#field-{field}", text)
    await save(anna.page, "Save")
    await expect(anna.page.locator(".celebration")).to_have_count(1)
    await anna.accessible()
    await anna.open("/my-bonus/card")
    await anna.accessible()
    await anna.page.get_by_role("button", name="Show my card").focus()
    await _issued(anna)
    await anna.accessible()
    for path in ("/my-bonus/history", "/my-bonus/data", "/signed-out"):
        await anna.open(path)
        await anna.accessible()
    assert anna.faults == []
    await anna.context.close()


async def test_what_somebody_types_survives_a_live_update(shop: Shop, browser: Browser) -> None:
    anna = await shop.customer(browser)
    await anna.sign_in()
    await anna.page.click("#field-phone")
    await anna.page.keyboard.type("+49")
    await shop.buys(anna.customer_id, 480_00)
    await expect(anna.page.locator("#headline")).to_contain_text("€20.00")
    assert (await anna.focused(), await anna.page.input_value("#field-phone")) == ("field-phone", "+49")

    # Also when it was refused: with the reason.
    await save(anna.page, "Save")
    await expect(anna.page.locator("#wrong-phone")).to_be_visible()
    await shop.buys(anna.customer_id, 72_50)
    await expect(anna.page.locator("#headline .tier")).to_have_text("Silver")
    await expect(anna.page.locator("#wrong-phone")).to_be_visible()
    assert (await anna.focused(), await anna.page.input_value("#field-phone")) == ("field-phone", "+49")

    # What the live update left out comes with what is sent anew, also where the next update overtakes the answer.
    async def late(route: Route) -> None:
        answer = await route.fetch()
        await expect(anna.page.locator("#percent")).to_contain_text("50")
        await route.fulfill(response=answer)

    await anna.page.route("**/my-bonus/profile", late)
    await anna.page.fill("#field-phone", "+49 30 123456")
    await save(anna.page, "Save")
    await expect(anna.page.locator("#percent")).to_contain_text("50")
    await expect(anna.page.locator("#outcome")).to_contain_text("Saved.")
    await expect(anna.page.locator("#waiting")).to_be_visible()
    await anna.context.close()


async def test_a_page_that_lost_its_network_catches_up(shop: Shop, browser: Browser) -> None:
    anna = await shop.customer(browser)
    await anna.sign_in()
    await anna.context.set_offline(True)
    await shop.buys(anna.customer_id, 480_00)
    await until(lambda: shop.shows(anna.customer_id, turnover=480_00), "the portal, while nobody could be told")
    await anna.context.set_offline(False)
    await expect(anna.page.locator("#headline")).to_contain_text("€20.00")
    await anna.context.close()


async def test_the_card_is_readable_without_a_network_and_gone_with_the_sign_out(shop: Shop, browser: Browser) -> None:
    """By keyboard alone."""
    anna = await shop.customer(browser)
    await anna.sign_in()
    page = anna.page
    await anna.open("/my-bonus/card")
    await anna.tab_to("main form button")
    number = await _issued(anna)
    assert re.fullmatch(r"[0-9]{2}-[0-9a-f]{32}", number)
    await until(anna.keeps_card, "the card to be kept")
    await anna.context.set_offline(True)
    await page.reload()
    assert await page.inner_text(".plastic .number") == number
    await anna.context.set_offline(False)

    await page.reload()
    await anna.tab_to("details > summary")
    await page.keyboard.press("Enter")
    await anna.tab_to("details button")
    assert await _issued(anna, number) != number

    await anna.tab_to("form[action='/sign-out'] button")
    await page.keyboard.press("Enter")
    await expect(page).to_have_url(f"{shop.url}/signed-out")
    await until(anna.keeps_no_card, "the card to be forgotten")
    assert anna.faults == []
    await anna.context.close()


async def _issued(customer: Customer, before: str | None = None) -> str:
    """Press the button that has the focus; the number of the card that comes, once the portal has heard of it."""
    async with customer.page.expect_navigation():
        await customer.page.keyboard.press("Enter")

    async def heard() -> bool:
        return not await customer.shop.knows(customer.customer_id, card=before)

    await until(heard, "the new card")
    await customer.open("/my-bonus/card")
    number = await customer.page.inner_text(".plastic .number")
    assert await customer.shop.knows(customer.customer_id, card=number)
    return number


async def test_whoever_signs_in_next_does_not_find_the_card_of_the_one_before(shop: Shop, browser: Browser) -> None:
    anna = await shop.customer(browser)
    await anna.sign_in()
    await anna.open("/my-bonus/card")
    await anna.page.get_by_role("button", name="Show my card").focus()
    await _issued(anna)
    await until(anna.keeps_card, "the card to be kept")
    bert = Customer(await shop.enrolled(), shop, anna.context, anna.page)
    await bert.sign_in()  # without signing out first
    await until(bert.keeps_no_card, "the card to be forgotten")
    await bert.context.close()


async def test_another_customers_card_is_of_no_use(shop: Shop) -> None:
    anna, bert = await shop.enrolled(), await shop.enrolled()
    assert await shop.asked("portal", "POST", "/my-bonus/card", anna) == 303
    await until(lambda: _has_card(shop, anna), "a card")
    card = (await shop.bonus(anna))["card"]
    assert await shop.asked("profile", "DELETE", f"/cards/{card}", bert) == 404
    assert await shop.asked("portal", "POST", f"/my-bonus/card?card_id={card}", bert, card_id=card, card=card) == 303
    await until(lambda: _has_card(shop, bert), "a card")
    assert (await shop.bonus(bert))["card"] != card
    assert (await shop.bonus(anna))["card"] == card


async def _has_card(shop: Shop, customer_id: str) -> bool:
    return not await shop.knows(customer_id, card=None)


async def test_the_language_can_be_switched(shop: Shop, browser: Browser) -> None:
    anna = await shop.customer(browser, "de")
    await anna.sign_in()
    await expect(anna.page.locator("#completion-title")).to_have_text("Ihr Profil")
    await anna.page.get_by_role("button", name="Русский").click()
    await expect(anna.page.locator("#completion-title")).to_have_text("Ваш профиль")
    await shop.buys(anna.customer_id, 480_00)
    await expect(anna.page.locator("#headline")).to_contain_text("до статуса «Серебро»")
    await anna.context.close()


def _spaced(text: str) -> re.Pattern[str]:
    """A text whose spaces may be of any kind."""
    return re.compile(re.escape(text).replace(r"\ ", r"\s"))
