"""Which language a posting is in."""

import polars as pl
import pytest

from features.text.language import detect, resolve


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Ищем разработчика на Python, Django, PostgreSQL, Kubernetes", "ru"),
        ("We are looking for a developer with experience in the field", "en"),
        ("Senior Python Developer", "en"),
        ("Java-разработчик", "ru"),
        ("Wir suchen einen Entwickler für das Team mit Erfahrung und Lust auf die Arbeit", "de"),
        ("Шукаємо розробника, який вміє працювати і любить їздити", "uk"),
        ("Сату менеджері қажет, жұмыс тәжірибесі", "kk"),
        ("Продавець-консультант", "uk"),
        ("Патрабуецца вадзіцель, вопыт працы на доўгі час", "be"),
        ("Ищем Senior Python Developer", "ru"),
        ("Требуется продавец в магазин на улице Тәуелсіздік, график сменный, зарплата достойная", "ru"),
        ("Van driver", "en"),
        ("MIT research engineer", "en"),
        ("Backend Developer m/w/d", "en"),
        ("Développeur web", "fr"),
        ("Buscamos desarrollador", "es"),
        ("Kierowca kat. C", "pl"),
        ("Desenvolvedor Java com experiência", "pt"),
        ("Python", "en"),
        ("日本語の求人", "other"),
        ("12345", None),
        (None, None),
    ],
)
def test_script_and_function_words_decide_the_language(text: str | None, expected: str | None) -> None:
    assert detect(pl.Series([text], dtype=pl.String)).to_list() == [expected]


def test_the_sources_own_value_wins() -> None:
    stated = pl.Series(["ru-RU", "EN", "german", None])
    assert resolve(stated, texts=pl.Series(["the house", "дом", "the house", "дом"])).to_list() == [
        "ru",
        "en",
        "en",
        "ru",
    ]
