"""What each reason says, in the languages that readers use. No text is stored per row: only code, ref and value."""

import re
from collections.abc import Mapping

# `{ref}` names what the reason refers to, `{value}` is its number, `{value|day|days}` the number with the word that
# agrees with it: one and many in English, one, few and many in Russian.
REASON_TEMPLATES: Mapping[str, Mapping[str, str]] = {
    "similar_to_saved": {
        "en": "Similar to a job you saved: {ref}",
        "ru": "Похожа на сохранённую вами вакансию: {ref}",
    },
    "similar_to_applied": {
        "en": "Similar to a job you applied to: {ref}",
        "ru": "Похожа на вакансию, на которую вы откликнулись: {ref}",
    },
    "similar_to_viewed": {
        "en": "Similar to a job you viewed: {ref}",
        "ru": "Похожа на просмотренную вами вакансию: {ref}",
    },
    "also_applied": {
        "en": "People who applied to “{ref}” also applied here",
        "ru": "Те, кто откликнулся на «{ref}», откликались и на эту вакансию",
    },
    "neighbours": {
        "en": "People with similar interests chose it",
        "ru": "Её выбирают люди с похожими интересами",
    },
    "skills": {"en": "Matches your skills: {ref}", "ru": "Подходит под ваши навыки: {ref}"},
    "role": {"en": "Matches the role you want: {ref}", "ru": "Соответствует желаемой должности: {ref}"},
    "nearby": {"en": "Close to you: {value} km", "ru": "Недалеко от вас: {value} км"},
    "same_city": {"en": "In your city: {ref}", "ru": "В вашем городе: {ref}"},
    "remote": {"en": "You can work remotely", "ru": "Можно работать удалённо"},
    "popular_in_area": {"en": "Popular in your area: {ref}", "ru": "Популярна в вашем регионе: {ref}"},
    "trending": {"en": "Trending now", "ru": "Сейчас набирает популярность"},
    "new": {
        "en": "New: posted less than {value|day|days} ago",
        "ru": "Новая: опубликована меньше {value|дня|дней|дней} назад",
    },
    "salary": {"en": "Pays within your range", "ru": "Зарплата соответствует вашим ожиданиям"},
    "tags": {"en": "Matches your interests: {ref}", "ru": "Соответствует вашим интересам: {ref}"},
    "experience": {"en": "Fits your experience", "ru": "Подходит под ваш опыт"},
    "company": {"en": "From a company you follow: {ref}", "ru": "От компании, которая вам интересна: {ref}"},
    "exploration": {
        "en": "Something different, to widen your choice",
        "ru": "Нечто новое, чтобы расширить ваш выбор",
    },
}
DEFAULT_LANGUAGE = "en"
_PLACEHOLDER = re.compile(r"\{(ref|value)((?:\|[^{}|]*)*)\}")
# Here `ref` is a job_id: whoever has the jobs at hand shows the title instead.
JOB_REFERENCE_CODES = frozenset({"similar_to_saved", "similar_to_applied", "similar_to_viewed", "also_applied"})


def render_reason(code: str, ref: str | None, value: float | None, language: str) -> str:
    """The reason as a sentence; English where the language has no text. Raises KeyError on an unknown code."""
    templates = REASON_TEMPLATES[code]
    return render(templates.get(language, templates[DEFAULT_LANGUAGE]), ref, value, language)


def render(template: str, ref: str | None, value: float | None, language: str) -> str:
    """A template as a sentence."""
    number = _number(value, language)

    def filled(found: re.Match[str]) -> str:
        if found[1] == "ref":
            return ref or ""
        words = found[2].split("|")[1:]
        return f"{number} {words[_form(value, language, len(words))]}".strip() if words else number

    # In one pass: a reference is untrusted text and may hold braces itself.
    return _PLACEHOLDER.sub(filled, template).rstrip(" :")


def _form(value: float | None, language: str, n_forms: int) -> int:
    """Which of `n_forms` words agrees with the number (Unicode CLDR, plural rules), the last for no number."""
    if value is None:
        return n_forms - 1
    if language != "ru":
        return 0 if value == 1 else n_forms - 1
    if value != int(value):
        return min(1, n_forms - 1)
    tens, ones = abs(int(value)) % 100, abs(int(value)) % 10
    if ones == 1 and tens != 11:
        return 0
    return min(1 if ones in (2, 3, 4) and tens not in (12, 13, 14) else 2, n_forms - 1)


def _number(value: float | None, language: str) -> str:
    if value is None:
        return ""
    text = f"{value:.0f}" if abs(value) >= 10 or value == int(value) else f"{value:.1f}"
    return text.replace(".", ",") if language == "ru" else text
