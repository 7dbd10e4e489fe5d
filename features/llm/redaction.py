"""What of a text may leave the house: it, without what says who a person is or how to reach them."""

import re
from collections.abc import Iterable

from features.llm.prompts import visible_text
from features.sources.resumes.phones import without_phones

REMOVED = "[removed]"
_EMAIL = re.compile(r"[^\s<>@]{1,64}@[\w.-]{2,255}")
_LINK = re.compile(
    r"(?:https?://|www\.)\S+|\b(?:[\w-]{1,63}\.){1,5}(?:com|net|org|io|ru|me|dev|by|kz|рф)(?:/\S*)?(?!\w)",
    re.IGNORECASE,
)
_ACCOUNT = re.compile(r"(?<![\w@])@\w{3,}")
_BIRTH = re.compile(
    r"^.*(?:date of birth|born(?: on)?\b|d\.?o\.?b\.?\b|marital|passport|дата рождения|родил(?:ся|ась)"
    r"|семейное положение|паспорт|снилс|\bинн\b).*$",
    re.IGNORECASE | re.MULTILINE,
)
_GREETING = re.compile(
    r"^(\s*(?:dear|hi|hello|hey|good (?:morning|afternoon|day)|здравствуйте|добрый (?:день|вечер)|доброе утро|привет"
    r"|уважаем(?:ый|ая)))[ ,]+[^\n,.!:—–-]{1,60}(?=[,.!:—–-]|$)",
    re.IGNORECASE | re.MULTILINE,
)
_MIN_NAME_LETTERS = 3


def resume_for_model(lines: Iterable[str], *, name: str | None, max_characters: int) -> str:
    """The lines of a resume without ways to reach the person, without birth and without the person's name."""
    text = _BIRTH.sub("", "\n".join(lines)[: 2 * max_characters])
    return visible_text(_without_contacts(text, name), max_characters=max_characters)


def message_for_model(text: str, *, name: str | None, max_characters: int) -> str:
    """A message without ways to reach people, without the greeted person and without the name of the user."""
    greeted = _GREETING.sub(rf"\1 {REMOVED}", text[: 2 * max_characters])
    return visible_text(_without_contacts(greeted, name), max_characters=max_characters)


def _without_contacts(text: str, name: str | None) -> str:
    for pattern in (_EMAIL, _LINK, _ACCOUNT):
        text = pattern.sub(REMOVED, text)
    text = without_phones(text)
    for word in re.findall(rf"[^\W\d_]{{{_MIN_NAME_LETTERS},}}", name or ""):
        text = re.sub(rf"(?<!\w){re.escape(word)}(?!\w)", REMOVED, text, flags=re.IGNORECASE)
    return text
