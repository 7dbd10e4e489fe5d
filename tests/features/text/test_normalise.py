"""Plain text out of HTML, and folding for comparison."""

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features.text.normalise import about_extract, company_key, fold, name_key, one_line, plain_text


def _plain(text: str | None) -> str | None:
    result: str | None = plain_text(pl.Series([text], dtype=pl.String))[0]
    return result


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        ("<p>One</p><p>two<br>three</p>", "One\ntwo\nthree"),
        ("<ul><li>a</li><li>b</li></ul>", "a\nb"),
        ("x<script>alert(1)</script><style>p{}</style>y", "xy"),
        ("&lt;p&gt;Escaped &amp;amp; whole&lt;/p&gt;", "Escaped & whole"),
        ("<p>R&amp;amp;D &amp;nbsp; team</p>", "R&D team"),
        ("<p>R&amp;D&nbsp;&mdash; team</p>", "R&D — team"),
        ("pay < 5000 & more", "pay < 5000 & more"),
        ("<p>use <code>&lt;div&gt;</code></p>", "use <div>"),
        ("plain   text\r\n\r\n\r\nnext", "plain text\nnext"),
        ("zero\u200bwidth\u00ad", "zerowidth"),
        ("a\u202eb\u061cc\u3164d\u2800e\ufe0ff\U000e0041g\u009bh\ue000i\ufff9j", "abcdefghij"),
        ("next\u0085line\u2028and\u00a0more", "next line and more"),
        ("<p> </p>", None),
        ("", None),
        (None, None),
    ],
)
def test_markup_becomes_lines_of_text(raw: str | None, expected: str | None) -> None:
    assert _plain(raw) == expected


def test_long_descriptions_are_cut() -> None:
    assert len(_plain("<p>" + "word " * 10_000 + "</p>") or "") <= 20_000


def test_unclosed_tags_of_any_number_are_survived() -> None:
    assert _plain("<div>" * 20_000 + "end") == "end"


@settings(max_examples=40, deadline=None)
@given(st.lists(st.one_of(st.none(), st.text(max_size=80)), max_size=8))
def test_any_text_keeps_its_row_and_comes_out_trimmed(texts: list[str | None]) -> None:
    result = plain_text(pl.Series("d", texts, dtype=pl.String))
    assert (result.name, len(result)) == ("d", len(texts))
    assert all(text is None or (text and text == text.strip()) for text in result)


def test_titles_are_one_line() -> None:
    assert one_line(pl.Series(["<b>Senior</b>\n Engineer &amp; lead "])).to_list() == ["Senior Engineer & lead"]


def test_the_company_part_is_found_in_russian_and_english() -> None:
    texts = pl.Series(
        [
            "Ищем инженера.\nО компании:\nМы строим мосты и дороги по всей стране уже двадцать лет.\nТребования:\nопыт",
            "We need you.\nAbout us\nAcme makes anvils for coyotes, and has done so since 1949.\nRequirements:\nnone",
        ]
    )
    about = about_extract(texts, 500).to_list()
    assert about[0].startswith("О компании") and "мосты" in about[0] and "Требования" not in about[0]
    assert about[1].startswith("About us") and "anvils" in about[1] and "Requirements" not in about[1]


@pytest.mark.parametrize(
    ("before", "is_cue"),
    [("", True), ("\n", True), ("– «", True), ("We hire.\n\n12) ", True), ("·" * 10, True), ("\n" + "·" * 11, False),
     ("Read ", False), ("We hire.\r\n\u2028\u0301", True)],
)  # fmt: skip
def test_a_cue_stands_at_the_start_of_a_line_after_at_most_ten_marks(before: str, is_cue: bool) -> None:
    section = "About us: Äcme makes anvils for coyotes, and has done so\nsince 1949."
    paragraph = "A paragraph of more than sixty letters, in which nothing is said of those who wrote it."
    text = f"{paragraph}\n{before}{section}" if before else section
    found = about_extract(pl.Series([text]), 500).to_list()
    assert found == [section if is_cue else paragraph]


def test_without_a_company_part_the_first_paragraph_is_returned() -> None:
    paragraph = "The first line that is long enough to be called a paragraph of its own, surely."
    assert about_extract(pl.Series([f"Short\n{paragraph}\nmore", None, ""]), 40).to_list() == [
        paragraph[:40].strip(),
        None,
        None,
    ]


def test_folding_makes_spellings_equal() -> None:
    assert pl.select(fold(pl.Series(["  Ёлка\u00a0ТРИ ", "ＡＢＣ"]))).to_series().to_list() == ["елка три", "abc"]
    assert pl.select(name_key(pl.Series(["C++ / C#-Developer!", "—"]))).to_series().to_list() == [
        "c++ c# developer",
        None,
    ]


@pytest.mark.parametrize(
    ("name", "key"),
    [
        ("ООО «Ромашка»", "ромашка"), ("Acme, Inc.", "acme"), ("ACME GmbH", "acme"), ("ООО", "ооо"), ("!", None),
        ("Confidential", None), ("Не указана", None), ("Confidential Coffee", "confidential coffee"),
    ],
)  # fmt: skip
def test_legal_forms_do_not_distinguish_companies(name: str, key: str | None) -> None:
    assert pl.select(company_key(pl.Series([name]))).to_series().to_list() == [key]


_SAME_COMPANY = [
    ("Acme GmbH & Co. KG", "Acme"),
    ("Acme S.p.A.", "Acme"),
    ("Acme SpA", "Acme"),
    ("Acme L.L.C.", "Acme"),
    ("JPMorgan Chase & Co.", "JPMorgan Chase"),
    ("Acme Pty Limited", "Acme"),
    ("Acme (Pty) Ltd", "Acme"),
    ("Acme Pte. Ltd.", "Acme"),
    ("Acme Pvt. Ltd.", "Acme"),
    ("Acme Private Limited", "Acme"),
    ("Acme Co., Ltd.", "Acme"),
    ("Acme S.r.l.", "Acme"),
    ("Acme S.A.S.", "Acme"),
    ("Acme SARL", "Acme"),
    ("Acme S.A. de C.V.", "Acme"),
    ("Acme S. de R.L. de C.V.", "Acme"),
    ("Acme S.L.U.", "Acme"),
    ("Acme Ltda.", "Acme"),
    ("Acme, Lda", "Acme"),
    ("Acme B.V.", "Acme"),
    ("Acme N.V.", "Acme"),
    ("Acme Oyj", "Acme"),
    ("Acme AB", "Acme"),
    ("Acme A/S", "Acme"),
    ("Acme ApS", "Acme"),
    ("Acme ASA", "Acme"),
    ("Acme OÜ", "Acme"),
    ("UAB Acme", "Acme"),
    ("SIA Acme", "Acme"),
    ("Acme Sp. z o.o.", "Acme"),
    ("Acme spółka z o.o.", "Acme"),
    ("Acme Sp. z o.o. Sp. k.", "Acme"),
    ("Acme s.r.o.", "Acme"),
    ("Acme, a.s.", "Acme"),
    ("Acme d.o.o.", "Acme"),
    ("Acme Kft.", "Acme"),
    ("Acme Zrt.", "Acme"),
    ("Acme EOOD", "Acme"),
    ("Acme A.Ş.", "Acme"),
    ("Acme Ltd. Şti.", "Acme"),
    ("Acme Sdn. Bhd.", "Acme"),
    ("PT Acme Tbk", "Acme"),
    ("Acme K.K.", "Acme"),
    ("Acme KGaA", "Acme"),
    ("Acme UG (haftungsbeschränkt)", "Acme"),
    ("Acme e.V.", "Acme"),
    ("Acme SE", "Acme"),
    ("Acme DMCC", "Acme"),
    ("Acme W.L.L.", "Acme"),
    ("PJSC Acme", "Acme"),
    ("LLC Acme", "Acme"),
    ("МЧЖ «Ромашка»", "Ромашка"),
    ("«Ромашка» MCHJ", "Ромашка"),
    ("ОДО «Ромашка»", "Ромашка"),
    ("СООО Ромашка", "Ромашка"),
    ("ЧТУП «Ромашка»", "Ромашка"),
    ("ОсОО «Ромашка»", "Ромашка"),
    ("ТОВ «Ромашка»", "Ромашка"),
    ("ПрАТ Ромашка", "Ромашка"),
    ("ЖШС «Ромашка»", "Ромашка"),
    ("«Ромашка» ЖШС", "Ромашка"),
    ("Общество с ограниченной ответственностью «Ромашка»", "Ромашка"),
    ("Публичное акционерное общество Ромашка", "Ромашка"),
    ("ИП Ромашка", "Ромашка"),
    ("АНО «Ромашка»", "Ромашка"),
]
_OTHER_COMPANY = [
    ("Alfa Bank", "Alfa"),
    ("Acme Coffee", "Acme"),
    ("Acme Group", "Acme"),
    ("Acme Labs", "Acme"),
    ("AS Roma", "Roma"),
    ("AB InBev", "InBev"),
    ("SA Water", "Water"),
    ("Acme Digital", "Acme"),
    ("Acme India", "Acme"),
    ("Oy Vey", "Vey"),
    ("Сбер Банк", "Сбер"),
    ("Ромашка Плюс", "Ромашка"),
    ("ГК Ромашка", "Ромашка"),
    ("Cosmo", "Smo"),
    ("Limited Brands", "Brands"),
    ("Co-op Bank", "op Bank"),
    ("Incubator", "ubator"),
    ("Acme Security", "Acme"),
]


@pytest.mark.parametrize(("one", "other"), _SAME_COMPANY)
def test_a_legal_form_of_any_country_is_no_part_of_the_name(one: str, other: str) -> None:
    found = pl.select(company_key(pl.Series([one, other]))).to_series().to_list()
    assert found[0] == found[1], found


@pytest.mark.parametrize(("one", "other"), _OTHER_COMPANY)
def test_words_that_are_no_legal_form_stay(one: str, other: str) -> None:
    found = pl.select(company_key(pl.Series([one, other]))).to_series().to_list()
    assert found[0] != found[1], found


@pytest.mark.parametrize("name", ["GmbH", "ООО", "Co", "S.A.", "SE", "AG", "BV"])
def test_a_name_that_is_only_a_legal_form_stays(name: str) -> None:
    assert pl.select(company_key(pl.Series([name]))).to_series().to_list()[0] is not None


@pytest.mark.parametrize(
    "wrapped",
    ["<![CDATA[Join our team.]]>", "&lt;![CDATA[Join our team.]]&gt;", "<![CDATA[<p>Join our team.</p>]]>",
     "&lt;![CDATA[&lt;p&gt;Join our team.&lt;/p&gt;]]&gt;"],
)  # fmt: skip
def test_text_that_was_escaped_with_its_cdata_marks_is_kept(wrapped: str) -> None:
    assert plain_text(pl.Series([wrapped])).to_list() == ["Join our team."]
