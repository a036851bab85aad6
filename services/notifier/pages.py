"""The two pages behind a link to unsubscribe, in the customer's language. They name nobody and load nothing."""

import base64
import hashlib
from html import escape
from typing import Final

_STYLE: Final = (
    "body{font:1.1rem/1.5 system-ui,sans-serif;margin:0;display:grid;min-height:100vh;place-items:center;"
    "background:#f6f6f4;color:#1d1d1f}main{max-width:28rem;padding:2rem;text-align:center}"
    "button{font:inherit;padding:.7rem 1.4rem;border:0;border-radius:.5rem;background:#1d4ed8;color:#fff;"
    "cursor:pointer}@media(prefers-color-scheme:dark){body{background:#161618;color:#f2f2f2}}"
)
_HASH: Final = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
POLICY: Final = f"default-src 'none'; style-src 'sha256-{_HASH}'; form-action 'self'; frame-ancestors 'none'"
"""Content-Security-Policy of both pages."""

_WORDS: Final = {
    "en": {
        "title": "Unsubscribe",
        "reminders": "No more reminders of your profile?",
        "email": "No more e-mails of the bonus programme?",
        "push": "No more push messages of the bonus programme?",
        "sms": "No more text messages of the bonus programme?",
        "telegram": "No more Telegram messages of the bonus programme?",
        "yes": "Yes, unsubscribe",
        "done": "Done. You can switch it on again on your page at any time.",
    },
    "de": {
        "title": "Abmelden",
        "reminders": "Keine Erinnerungen an Ihr Profil mehr?",
        "email": "Keine E-Mails des Bonusprogramms mehr?",
        "push": "Keine Push-Nachrichten des Bonusprogramms mehr?",
        "sms": "Keine SMS des Bonusprogramms mehr?",
        "telegram": "Keine Telegram-Nachrichten des Bonusprogramms mehr?",
        "yes": "Ja, abmelden",
        "done": "Erledigt. Auf Ihrer Seite können Sie es jederzeit wieder einschalten.",
    },
    "ru": {
        "title": "Отписаться",
        "reminders": "Больше не напоминать о профиле?",
        "email": "Больше не присылать письма бонусной программы?",
        "push": "Больше не присылать push-уведомления бонусной программы?",
        "sms": "Больше не присылать SMS бонусной программы?",
        "telegram": "Больше не присылать сообщения бонусной программы в Telegram?",
        "yes": "Да, отписаться",
        "done": "Готово. Вы можете снова включить это на своей странице в любое время.",
    },
}


def ask(what: str, locale: str) -> str:
    """The page that asks; only its button changes something. `what`: `reminders` or a channel."""
    language, words = _words(locale)
    form = f'<form method="post"><button>{escape(words["yes"])}</button></form>'
    return _page(language, words["title"], f"<h1>{escape(words[what])}</h1>{form}")


def done(what: str, locale: str) -> str:
    """The page after that."""
    language, words = _words(locale)
    return _page(language, words["title"], f"<h1>{escape(words['title'])}</h1><p>{escape(words['done'])}</p>")


def _words(locale: str) -> tuple[str, dict[str, str]]:
    language = locale[:2].lower()
    return (language, _WORDS[language]) if language in _WORDS else ("en", _WORDS["en"])


def _page(language: str, title: str, body: str) -> str:
    return (
        f'<!doctype html><html lang="{language}"><head><meta charset="utf-8"><title>{escape(title)}</title>'
        '<meta name="viewport" content="width=device-width,initial-scale=1"><meta name="robots" content="noindex">'
        f"<style>{_STYLE}</style></head><body><main>{body}</main></body></html>"
    )
