"""Which language a posting is in."""

import polars as pl
import pytest

from features.text.language import detect, resolve
from tests.benchmarks.bench_language import labelled_texts


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
        ("日本語の求人", "ja"),
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


def test_bullet_points_without_function_words_are_in_their_language() -> None:
    english = (
        "Product Manager\n- Own product roadmap\n- Drive revenue growth\n- Stakeholder management\n- Stock options"
    )
    german = "Projektleiter\n- Planung und Steuerung\n- Budgetverantwortung\n- Kundenbetreuung\n- Unbefristeter Vertrag"
    assert detect(pl.Series([english, german])).to_list() == ["en", "de"]


def test_most_labelled_texts_are_identified() -> None:
    texts = labelled_texts()
    right = texts.select("kind", is_right=detect(texts["text"]) == pl.col("language")).group_by("kind")
    shares = dict(right.agg(pl.col("is_right").mean()).iter_rows())
    assert shares["posting"] > 0.97 and shares["English bullets"] > 0.97 and shares["English title"] > 0.97
    assert shares["title and sentence"] > 0.9 and shares["title"] > 0.6


def test_a_text_alone_is_identified_as_among_others() -> None:
    texts = labelled_texts()["text"].gather_every(40)
    assert detect(texts).to_list() == [detect(texts[[row]])[0] for row in range(len(texts))]
