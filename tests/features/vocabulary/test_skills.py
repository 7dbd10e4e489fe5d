"""Finding and naming skills in both languages."""

from pathlib import Path

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features.errors import VocabularyError
from features.vocabulary.skills import SkillVocabulary

FOLDER = Path(__file__).parents[3] / "data" / "vocabulary"
SENTENCES = Path(__file__).parent / "skill_sentences.tsv"
VOCABULARY = SkillVocabulary.load(FOLDER)
FEW_EXAMPLES = settings(max_examples=25, deadline=None)


def found(text: str) -> list[str]:
    return VOCABULARY.find(pl.Series([text]))[0].to_list()


@pytest.mark.parametrize(
    ("text", "skills"),
    [
        ("JavaScript", ["JavaScript"]),
        ("C++, C# и .NET", [".NET", "C#", "C++"]),
        ("C/C++", ["C", "C++"]),
        ("С++17 и с#", ["C#", "C++"]),  # Cyrillic letters
        ("ASP.NET Core", ["ASP.NET"]),
        ("Node.js, Vue.js.", ["Node.js", "Vue.js"]),
        ("Spring Boot", ["Spring Boot"]),
        ("Знание 1С: Бухгалтерия", ["1С:Бухгалтерия"]),
        ("#python", ["Python"]),
        ("pythonic scalable gospel", []),
        ("company.net", []),
    ],
)
def test_names_with_signs_are_found_whole(text: str, skills: list[str]) -> None:
    assert found(text) == skills


@pytest.mark.parametrize(
    ("text", "skills"),
    [
        ("Go, R, C, Dart", ["C", "Dart", "Go", "R"]),
        ("Senior Go developer", ["Go"]),
        ("знание Go и Python", ["Go", "Python"]),
        ("Пишем на R.", ["R"]),
        ("Go ahead, work at C-level. Go live", []),
        ("vitamin C, fish oil", []),
        ("категории B, C, E", []),
        ("grades A, B, C", []),
        ("we go far", []),
        ("Excel at your work", []),
        ("MS Excel", ["Microsoft Excel"]),
        ("react to events", []),
        ("in spring", []),
        ("CDI en vue d'une embauche", []),
        ("point de vue critique, vue sur Paris", []),
        ("Vue sur mer", []),
        ("Développeur Vue", ["Vue.js"]),
        ("React, vue, TypeScript", ["React", "TypeScript", "Vue.js"]),
        ("La société SAS Dupont recrute", []),
        ("Groupe ABC SAS, Lyon", []),
        ("Experience with SAS and SQL; SAS programmer", ["SAS", "SQL"]),
        ("Located in Phoenix, AZ", []),
        ("Cypress, TX office", []),
        ("Cypress, Playwright", ["Cypress", "Playwright"]),
        ("Elixir, Phoenix", ["Elixir", "Phoenix framework"]),
        ("Ansprechpartnerin: Julia Novak", []),
        ("Bewerbung an Pascal Ahlers", []),
        ("Reports to Ruby Holm", []),
        ("Pascal Ahlers will interview you", []),
        ("Ruby Developer, Ruby on Rails", ["Ruby", "Ruby on Rails"]),
        ("Arbeitsort: Rust (Europa-Park)", []),
        ("Корпоративный английский и ДМС", []),
        ("Уроки английского за счёт компании", []),
        ("We offer English lessons", []),
        ("Преподаватель английского языка", ["English"]),
        ("Английский от B1", ["English"]),
    ],
)
def test_ambiguous_words_count_only_where_the_context_says_so(text: str, skills: list[str]) -> None:
    assert found(text) == skills


@pytest.mark.parametrize(
    ("russian", "english"),
    [
        ("опыт холодных звонков", "cold calling"),
        ("машинному обучению", "machine learning"),
        ("Работа с постгресом", "PostgreSQL"),
        ("английского языка", "English"),
        ("питоне", "python"),
        ("ПОДБОР ПЕРСОНАЛА В IT, ит рекрутинг", "IT recruiting"),
    ],
)
def test_a_skill_is_the_same_in_russian_and_english(russian: str, english: str) -> None:
    assert found(english)[0] in found(russian)


def test_the_longest_name_at_a_place_wins() -> None:
    assert found("React Native") == ["React Native"]
    assert found("React Native и React") == ["React", "React Native"]


@pytest.mark.parametrize(
    ("name", "canonical"),
    [
        ("go", "Go"),
        ("c", "C"),
        (".net", ".NET"),
        (" Питон ", "Python"),
        ("Python 3.11", "Python"),
        ("C++17", "C++"),
        ("1C", "1С"),
        ("обучение", "Teaching"),
        ("no such skill", None),
        ("", None),
        ("...", None),
    ],
)
def test_a_whole_name_needs_no_context(name: str, canonical: str | None) -> None:
    assert VOCABULARY.canonical_names(pl.Series([name])).to_list() == [canonical]


def test_lists_become_canonical_without_doubles_and_keep_what_is_unknown() -> None:
    lists = pl.Series("skills", [["питон", " Foo ", "Python", None, " "], None, []], dtype=pl.List(pl.String))
    result = VOCABULARY.canonicalise(lists)
    assert result.name == "skills"
    assert result.to_list() == [["Foo", "Python"], [], []]


def test_no_text_has_no_skills() -> None:
    texts = pl.Series("text", [None, "", "none here"], dtype=pl.String)
    assert VOCABULARY.find(texts).to_list() == [[], [], []]
    assert VOCABULARY.find(texts.clear()).dtype == pl.List(pl.String)


@FEW_EXAMPLES
@given(st.lists(st.one_of(st.none(), st.text(max_size=80)), max_size=4))
def test_whatever_the_text_found_skills_are_known(texts: list[str | None]) -> None:
    result = VOCABULARY.find(pl.Series(texts, dtype=pl.String))
    assert len(result) == len(texts)
    for skills in result.to_list():
        assert set(skills) <= VOCABULARY.names
        assert skills == sorted(set(skills))


@FEW_EXAMPLES
@given(st.lists(st.text(max_size=30), max_size=5))
def test_canonical_lists_stay_as_they_are(names: list[str]) -> None:
    once = VOCABULARY.canonicalise(pl.Series([names], dtype=pl.List(pl.String)))
    assert VOCABULARY.canonicalise(once).to_list() == once.to_list()


@FEW_EXAMPLES
@given(st.lists(st.sampled_from(sorted(VOCABULARY.names)), min_size=1, max_size=8, unique=True))
def test_a_comma_separated_list_is_found_in_any_order(skills: list[str]) -> None:
    assert found(", ".join(skills)) == found(", ".join(reversed(skills)))


def test_one_text_is_searched_the_same_alone_and_among_others() -> None:
    texts = ["İstanbul: Python", "Go, R", "K Java", "ẞ SQL", "продаж"]
    together = VOCABULARY.find(pl.Series(texts)).to_list()
    assert together == [found(text) for text in texts]
    assert together[0] == ["Python"]
    assert together[2] == ["Java"]


def test_every_canonical_name_and_spelling_leads_to_its_skill() -> None:
    spellings = VOCABULARY.spellings
    one_each = spellings.select(pl.concat_list("phrase"))["phrase"]
    wrong = spellings.filter(VOCABULARY.canonicalise(one_each).list.first() != pl.col("skill"))
    assert wrong.height == 0, wrong


def test_the_vocabulary_is_large_and_its_categories_expand() -> None:
    assert len(VOCABULARY.names) >= 1500
    for category in ("programming", "design", "marketing", "data_analysis", "management", "finance"):
        assert len(VOCABULARY.expand_categories([category])) >= 15
    assert VOCABULARY.expand_categories(["Data analysis"]) == VOCABULARY.expand_categories(["data_analysis"])
    assert VOCABULARY.expand_categories(["astrology"]) == []


def test_related_skills_are_known_and_adjacency_is_mutual() -> None:
    related = VOCABULARY.related
    assert set(related["related"]) <= VOCABULARY.names
    adjacent = set(related.filter(pl.col("relation") == "adjacent").select("skill", "related").iter_rows())
    assert ("Django", "Flask") in adjacent
    assert all((b, a) in adjacent for a, b in adjacent)
    assert ("Django", "Python", "broader") in set(related.select("skill", "related", "relation").iter_rows())


def _labelled_sentences() -> list[tuple[str, set[str]]]:
    """Sentences written for this project, each with the skills that a reader finds in it; most are hard on purpose."""
    rows = [line.split("\t") for line in SENTENCES.read_text(encoding="utf-8").splitlines()]
    return [(text, set(labels.split("|")) - {""}) for text, labels in rows]


def test_few_skills_are_missed_or_made_up_in_labelled_sentences() -> None:
    sentences = _labelled_sentences()
    assert len(sentences) >= 250
    wanted = [
        set(VOCABULARY.canonical_names(pl.Series(list(labels), dtype=pl.String)).to_list()) for _, labels in sentences
    ]
    assert all(None not in labels for labels in wanted), "a label is no skill of the vocabulary"
    found = [set(skills) for skills in VOCABULARY.find(pl.Series([text for text, _ in sentences])).to_list()]
    n_right = sum(len(have & want) for have, want in zip(found, wanted, strict=True))
    wrong = {
        text: (sorted(have - want), sorted(want - have))
        for (text, _), have, want in zip(sentences, found, wanted, strict=True)
        if have != want
    }
    precision = n_right / sum(len(have) for have in found)
    recall = n_right / sum(len(want) for want in wanted)
    assert precision >= 0.98, (precision, wrong)
    assert recall >= 0.96, (recall, wrong)
    without_any = [have for have, want in zip(found, wanted, strict=True) if not want]
    assert len(without_any) >= 50
    assert sum(bool(have) for have in without_any) <= 4, wrong


@pytest.mark.parametrize(
    ("text", "skills"),
    [
        ("Jira, Confluence", ["Confluence", "Jira"]),
        ("Опыт с Doсker", ["Docker"]),  # a Cyrillic letter within
        ("Знание Питонa", ["Python"]),  # a Latin letter within
        ("см. https://example.org/go/java и hr@kafka.io", []),
        ("строим дизайн-систему", ["Design Systems"]),
        ("Пишем на Go от года", ["Go"]),
        ("an English company with German clients", []),
        ("English and German at C1", ["English", "German"]),
    ],
)
def test_breaks_alphabets_and_addresses_mislead_nobody(text: str, skills: list[str]) -> None:
    assert found(text) == skills


def write_vocabulary(folder: Path, rows: str, categories: str = "{}") -> Path:
    (folder / "skills.csv").write_text("skill,kind,match,aliases,broader,adjacent\n" + rows, encoding="utf-8")
    (folder / "categories.yaml").write_text(categories, encoding="utf-8")
    domains = "some: {kinds: [k], words: [some]}"
    (folder / "skill_domains.yaml").write_text(domains, encoding="utf-8")
    return folder


@pytest.mark.parametrize(
    ("rows", "categories", "message"),
    [
        ("A1x,k,any,same,,\nB2x,k,any,Same,,\n", "{}", "same"),
        ("A1x,k,sometimes,,,\n", "{}", "sometimes"),
        ("A1x,k,any,,Nothing,\n", "{}", "Nothing"),
        ("A1x,k,any,,,\n", "{some: [Nothing]}", "Nothing"),
        ("A1x,k,any,,,\n", "[]", "mapping"),
    ],
)
def test_a_vocabulary_that_contradicts_itself_is_refused(
    tmp_path: Path, rows: str, categories: str, message: str
) -> None:
    with pytest.raises(VocabularyError, match=message):
        SkillVocabulary.load(write_vocabulary(tmp_path, rows, categories))
