"""What an entry says to its customer, in each language: which rule, rate, tier and purchase, and why not more."""

from collections.abc import Callable, Mapping
from datetime import date
from decimal import Decimal
from fractions import Fraction
from typing import Any, Final

from babel import Locale
from babel.dates import format_date
from babel.numbers import format_currency, format_decimal

from shared.contracts.programme import Label
from shared.rulebook.money import exponent
from shared.rulebook.programme import Programme, Version

LANGUAGES: Final = ("en", "de", "ru")
Texts = dict[str, str]

_LOCALES: Final = {language: Locale.parse(language) for language in LANGUAGES}
# By the plural categories of CLDR.
_NOUNS: Final[Mapping[str, Mapping[str, str]]] = {
    "en": {"one": "point", "other": "points"},
    "de": {"one": "Punkt", "other": "Punkte"},
    "ru": {"one": "балл", "few": "балла", "many": "баллов", "other": "балла"},
}
# What is in braces is a number of points with its noun, an amount, a day or a name.
_WORDS: Final[Mapping[str, Mapping[str, str]]] = {
    "purchase": {
        "en": "{points} for your purchase of {amount}: one for every {per} at tier {tier}",
        "de": "{points} für Ihren Einkauf über {amount}: einer je {per} im Status {tier}",
        "ru": "{points} за покупку на {amount}: один за каждые {per}, статус «{tier}»",
    },
    "multiplied": {
        "en": "{points} for your purchase of {amount}: one for every {per}, times {multiplier} at tier {tier}",
        "de": "{points} für Ihren Einkauf über {amount}: einer je {per}, mal {multiplier} im Status {tier}",
        "ru": "{points} за покупку на {amount}: один за каждые {per}, умножено на {multiplier}, статус «{tier}»",
    },
    "rounded": {"en": ", rounded down", "de": ", abgerundet", "ru": ", округлено вниз"},
    "benefit": {
        "en": "{points} from your benefit {benefit}",
        "de": "{points} aus Ihrem Vorteil {benefit}",
        "ru": "{points} по привилегии «{benefit}»",
    },
    "benefit_again": {
        "en": "{points} from your benefit {benefit} of {period}",
        "de": "{points} aus Ihrem Vorteil {benefit} für {period}",
        "ru": "{points} по привилегии «{benefit}» за {period} год",
    },
    "activated": {
        "en": "{points} can be used from now on, up to {day}",
        "de": "{points} ab jetzt einlösbar, bis {day}",
        "ru": "Доступно: {points}, использовать можно по {day}",
    },
    "expired": {
        "en": "{points} expired: not used by {day}",
        "de": "{points} verfallen: bis {day} nicht eingelöst",
        "ru": "Сгорело: {points}, не использовано по {day}",
    },
    "expired_erasure": {
        "en": "{points} ended with the account",
        "de": "{points} mit dem Konto erloschen",
        "ru": "Аннулировано вместе с учётной записью: {points}",
    },
    "given": {
        "en": "{points} credited by customer service",
        "de": "{points} vom Kundendienst gutgeschrieben",
        "ru": "Начислено службой поддержки: {points}",
    },
    "taken": {
        "en": "{points} deducted by customer service",
        "de": "{points} vom Kundendienst abgezogen",
        "ru": "Списано службой поддержки: {points}",
    },
    "settled": {
        "en": "{points} offset against points that were owed",
        "de": "{points} mit geschuldeten Punkten verrechnet",
        "ru": "Зачтено в счёт долга: {points}",
    },
    "written_off": {
        "en": "{points} that were owed are written off",
        "de": "{points} erlassen, die geschuldet waren",
        "ru": "Списан долг: {points}",
    },
    "reversed": {
        "en": "{points} taken back after a return: the purchase brought {before}, now {after}",
        "de": "{points} nach einer Rückgabe abgezogen: Der Einkauf brachte {before}, jetzt {after}",
        "ru": "Списано после возврата: {points}. За покупку было начислено {before}, теперь {after}",
    },
    "reversed_unnamed": {
        "en": "{points} taken back after a return without its receipt",
        "de": "{points} nach einer Rückgabe ohne Kassenbon abgezogen",
        "ru": "Списано после возврата без чека: {points}",
    },
    "restored": {
        "en": "{points} given back after a return: they had paid for the purchase",
        "de": "{points} nach einer Rückgabe zurückgegeben: Sie hatten damit bezahlt",
        "ru": "Возвращено после возврата покупки, оплаченной баллами: {points}",
    },
    "held": {
        "en": "{points} reserved at the till",
        "de": "{points} an der Kasse reserviert",
        "ru": "Зарезервировано на кассе: {points}",
    },
    "redeemed": {
        "en": "{points} redeemed, worth {worth}",
        "de": "{points} eingelöst, im Wert von {worth}",
        "ru": "Списано в оплату: {points} на сумму {worth}",
    },
    "released": {
        "en": "{points} no longer reserved: the till let go of them",
        "de": "{points} nicht mehr reserviert: von der Kasse freigegeben",
        "ru": "Резерв снят кассой: {points}",
    },
    "lapsed": {
        "en": "{points} no longer reserved: the time for paying ran out",
        "de": "{points} nicht mehr reserviert: Die Zeit zum Bezahlen ist abgelaufen",
        "ru": "Резерв снят, время на оплату истекло: {points}",
    },
    "captured_in_part": {
        "en": "{points} no longer reserved: the purchase needed fewer",
        "de": "{points} nicht mehr reserviert: Der Einkauf brauchte weniger",
        "ru": "Резерв снят, на покупку потребовалось меньше: {points}",
    },
    "released_erasure": {
        "en": "{points} no longer reserved: the account ended",
        "de": "{points} nicht mehr reserviert: Das Konto ist beendet",
        "ru": "Резерв снят, учётная запись закрыта: {points}",
    },
}


def texts(event: Mapping[str, Any], programme: Programme) -> Texts:
    """The text of a movement of points (an event as JSON), by language."""
    version = _version(programme, event["programme_version"])
    return {language: _text(event, programme, version, language) for language in LANGUAGES}


def label(programme: Programme, pick: Callable[[Version], Mapping[str, Label]], name: str) -> Texts | None:
    """The name of something in each language, by the newest version in which it is called so; `None`: it never was.

    `pick`: the labels in a version, by id.
    """
    for version in reversed(programme.versions):
        if (found := pick(version).get(name)) is not None:
            return {"en": found.en, "de": found.de, "ru": found.ru}
    return None


def wording(programme: Programme) -> list[Any]:
    """What texts take from the programme as a whole: they stay as they are while this does."""
    labels: list[dict[str, Label]] = [{}, {}]
    for version in programme.versions:
        labels[0] |= tier_labels(version)
        labels[1] |= benefit_labels(version)
    return [*labels, programme.versions[-1].terms.points.value_minor]


def benefit_labels(version: Version) -> Mapping[str, Label]:
    """The names of a version's benefits."""
    return {one.id: one.label for one in version.terms.benefits}


def tier_labels(version: Version) -> Mapping[str, Label]:
    """The names of a version's tiers."""
    return {one.id: one.label for one in version.terms.tiers}


def _text(event: Mapping[str, Any], programme: Programme, version: Version | None, language: str) -> str:
    def say(key: str, points: int = event["points"], **others: str) -> str:
        return _WORDS[key][language].format(points=_points(points, language), **others)

    match event:
        case {"type": "PointsEarned.v1", "why": {"rule": "purchase"} as why}:
            amount, per = why["amount_minor"], why["per_minor"]
            exact = Fraction(amount, per) * Fraction(why["multiplier"]) == event["points"]
            return say(
                "purchase" if Fraction(why["multiplier"]) == 1 else "multiplied",
                amount=_money(amount, programme, language),
                per=_money(per, programme, language),
                multiplier=format_decimal(Decimal(why["multiplier"]), locale=_LOCALES[language]),
                tier=_name(programme, tier_labels, why["tier"], language),
            ) + ("" if exact else _WORDS["rounded"][language])
        case {"type": "PointsEarned.v1", "why": {"benefit": name, "period": period}}:
            benefit = _name(programme, benefit_labels, name, language)
            return say("benefit_again", benefit=benefit, period=period) if period else say("benefit", benefit=benefit)
        case {"type": "PointsActivated.v1"}:
            return say("activated", day=_day(event, language))
        case {"type": "PointsExpired.v1", "reason": "expiry"}:
            return say("expired", day=_day(event, language))
        case {"type": "PointsExpired.v1"}:
            return say("expired_erasure")
        case {"type": "PointsAdjusted.v1", "points": points}:
            return say("given" if points > 0 else "taken", abs(points))
        case {"type": "OwedSettled.v1", "reason": reason}:
            return say(reason)
        case {"type": "PointsReversed.v1", "why": {"from": int(before), "to": int(after)}}:
            return say("reversed", before=_points(before, language), after=_points(after, language))
        case {"type": "PointsReversed.v1"}:
            return say("reversed_unnamed")
        case {"type": "PointsRestored.v1"}:
            return say("restored")
        case {"type": "PointsHeld.v1"}:
            return say("held")
        case {"type": "PointsRedeemed.v1", "points": points}:
            value = version.terms.points.value_minor if version else 0
            return say("redeemed", worth=_money(points * value, programme, language))
        case {"type": "HoldReleased.v1", "reason": reason}:
            return say("released_erasure" if reason == "erasure" else reason)
        case _:
            raise LookupError(f"{event['type']} is no movement of points")


def _points(points: int, language: str) -> str:
    noun = _NOUNS[language][_LOCALES[language].plural_form(points)]
    return f"{format_decimal(points, locale=_LOCALES[language])}\N{NO-BREAK SPACE}{noun}"


def _money(minor: int, programme: Programme, language: str) -> str:
    amount = Decimal(minor).scaleb(-exponent(programme.currency))
    return format_currency(amount, programme.currency, locale=_LOCALES[language])


def _day(event: Mapping[str, Any], language: str) -> str:
    """The last day of the lot that lasts longest."""
    last = max(lot["last_day"] for lot in event["lots"])
    return format_date(date.fromisoformat(last), "long", locale=_LOCALES[language])


def _name(programme: Programme, pick: Callable[[Version], Mapping[str, Label]], name: str, language: str) -> str:
    found = label(programme, pick, name)
    return found[language] if found else name


def _version(programme: Programme, number: int | None) -> Version | None:
    found = [version for version in programme.versions if version.number == number]
    return found[0] if found else programme.versions[-1]
