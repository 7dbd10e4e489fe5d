"""The texts of reasons in the languages that readers use. A row stores only code, ref and value.

All texts are made here: SQL reads the published table `reason_texts`, which has a row for every NUMBER_FORM.
"""

import re
from collections.abc import Iterable, Iterator, Mapping

# `{ref}` is what the reason refers to, `{value}` its number, `{value|day|days}` the number with the word that agrees
# with it: one and other in English; one, few and many in Russian, where few is also the form for fractions.
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
# The plural categories of Unicode CLDR, and the index of the word that each takes. `none`: a reason without a number.
NUMBER_FORMS = {"one": 0, "few": 1, "many": 2, "other": 1, "none": 2}
_COUNTED = re.compile(r"\{value((?:\|[^{}|]*)+)\}")
_PLACEHOLDER = re.compile(r"\{(ref|value)\}")


def render_reason(code: str, ref: str | None, value: float | None, language: str) -> str:
    """The reason as a sentence; English where the language has no text. Raises KeyError on an unknown code."""
    templates = REASON_TEMPLATES[code]
    return render(templates.get(language, templates[DEFAULT_LANGUAGE]), ref, value, language)


def render(template: str, ref: str | None, value: float | None, language: str) -> str:
    """A template as a sentence."""
    values = {"ref": ref or "", "value": _number(value, language)}
    text = text_of_form(template, number_form(value, language))
    # In one pass: a reference is untrusted text and may hold braces itself.
    return _PLACEHOLDER.sub(lambda found: values[found[1]], text).rstrip(" :")


def reason_texts(templates: Iterable[tuple[str, str, str]]) -> Iterator[tuple[str, str, str, str]]:
    """Code, language, number form and text of every template (code, language, template)."""
    for code, language, template in templates:
        for form in NUMBER_FORMS:
            yield code, language, form, text_of_form(template, form)


def text_of_form(template: str, form: str) -> str:
    """The template with the word that agrees with a number of this form; {ref} and {value} stay."""

    def counted(found: re.Match[str]) -> str:
        words = found[1].split("|")[1:]
        word = words[min(NUMBER_FORMS[form], len(words) - 1)]
        return word if form == "none" else f"{{value}} {word}"

    return _COUNTED.sub(counted, template)


def number_form(value: float | None, language: str) -> str:
    """The plural category of a number (Unicode CLDR, plural rules), `none` without one."""
    if value is None:
        return "none"
    if language != "ru":
        return "one" if value == 1 else "other"
    if value != int(value):
        return "other"
    tens, ones = abs(int(value)) % 100, abs(int(value)) % 10
    if ones == 1 and tens != 11:
        return "one"
    return "few" if ones in (2, 3, 4) and tens not in (12, 13, 14) else "many"


def _number(value: float | None, language: str) -> str:
    if value is None:
        return ""
    text = f"{value:.0f}" if abs(value) >= 10 or value == int(value) else f"{value:.1f}"
    return text.replace(".", ",") if language == "ru" else text
