"""Resumes as people lay them out, and files as attackers do."""

import datetime as dt
import io
import json
import zipfile
from dataclasses import asdict
from typing import Any

import docx
import polars as pl
import pypdf
import pytest
from docx.oxml import parse_xml
from pypdf.generic import DecodedStreamObject, DictionaryObject, NameObject, TextStringObject

from features.sources.resumes import docx_text
from features.sources.resumes.fields import ResumeError, ResumeFields
from features.sources.resumes.files import resume_text
from tests.features.sources.resumes.samples import SAMPLES
from tests.features.sources.resumes.test_parsing import parse_resume

AS_OF = dt.datetime(2026, 11, 20, tzinfo=dt.UTC)
_W = 'xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"'
_MC = 'xmlns:mc="http://schemas.openxmlformats.org/markup-compatibility/2006"'


class NoVocabulary:
    """Knows no skill, so that only what the resume lists is seen."""

    def canonical_names(self, names: pl.Series) -> pl.Series:
        return pl.Series([None] * len(names), dtype=pl.String)

    def find(self, texts: pl.Series) -> pl.Series:
        return pl.Series([[] for _ in texts], dtype=pl.List(pl.String))


def parse(body: str | bytes, suffix: str) -> ResumeFields:
    given = body.encode() if isinstance(body, str) else body
    return parse_resume(given, suffix, skills=NoVocabulary(), as_of=AS_OF)


def rated(fields: ResumeFields) -> list[tuple[object, object, object]] | None:
    return [(s["name"], s["level"], s["years"]) for s in fields.skills] if fields.skills else None


@pytest.mark.parametrize("name", SAMPLES)
def test_every_layout_is_read(name: str) -> None:
    suffix, text, expected = SAMPLES[name]
    fields = parse(text, suffix)
    found = {**asdict(fields), "skills": rated(fields)}
    assert {key: found[key] for key in expected} == expected


def test_a_json_resume_without_readable_ends_counts_only_what_it_says() -> None:
    work = [
        {"position": "A", "startDate": "2015", "endDate": "2016-07-01"},
        {"position": "B", "startDate": "2016-01", "endDate": "2017"},
        {"position": "C", "startDate": "2018-03", "endDate": "whenever"},
        {"position": "D", "startDate": "2026-05", "endDate": "Present"},
    ]
    assert parse(json.dumps({"work": work}), ".json").years_of_experience == 2.5


def saved(document: Any) -> bytes:
    file = io.BytesIO()
    document.save(file)
    return file.getvalue()


def text_box(text: str) -> str:
    box = f"<w:txbxContent><w:p><w:r><w:t>{text}</w:t></w:r></w:p></w:txbxContent>"
    return (
        f"<w:r {_W} {_MC}><mc:AlternateContent><mc:Choice><w:drawing>{box}</w:drawing></mc:Choice>"
        f"<mc:Fallback><w:pict>{box}</w:pict></mc:Fallback></mc:AlternateContent></w:r>"
    )


def test_headers_text_boxes_and_nested_tables_of_docx_are_read_once() -> None:
    document = docx.Document()
    document.sections[0].header.add_paragraph("Anna Smith")
    document.add_paragraph("anna@mail.example")._p.append(parse_xml(text_box("+44 20 7946 0958")))
    cell = document.add_table(1, 2).cell(0, 1)
    inner = cell.add_table(1, 1)
    inner.cell(0, 0).text = "Skills\nPython, SQL"
    document.add_paragraph("Work experience")
    document.add_paragraph("Accountant at Acme Ltd, 03/2018 - 03/2021")
    body = saved(document)
    assert resume_text(body, ".docx").text.count("7946") == 1
    fields = parse(body, ".docx")
    assert (fields.full_name, fields.email, fields.phone) == ("Anna Smith", "anna@mail.example", "+44 20 7946 0958")
    assert rated(fields) == [("Python", None, None), ("SQL", None, None)]
    assert (fields.titles, fields.companies) == (["Accountant"], ["Acme Ltd"])


def with_document_xml(xml: str) -> bytes:
    """A DOCX whose main part is `xml`."""
    source, target = zipfile.ZipFile(io.BytesIO(saved(docx.Document()))), io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as made:
        for member in source.infolist():
            made.writestr(member, xml if member.filename == "word/document.xml" else source.read(member))
    return target.getvalue()


def reason(body: bytes, suffix: str) -> str:
    with pytest.raises(ResumeError) as caught:
        parse(body, suffix)
    return caught.value.reason


def test_entities_in_docx_reach_no_file_and_do_not_multiply(tmp_path: Any) -> None:
    (tmp_path / "secret").write_text("the secret of this machine, long enough to be a resume")
    paragraph = "<w:body><w:p><w:r><w:t>{}</w:t></w:r></w:p></w:body></w:document>"
    outside = f'<!DOCTYPE d [<!ENTITY x SYSTEM "file://{tmp_path}/secret">]><w:document {_W}>' + paragraph.format("&x;")
    laughs = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 10))
    many = f'<!DOCTYPE d [<!ENTITY l0 "ha">{laughs}]><w:document {_W}>' + paragraph.format("&l9;")
    assert reason(with_document_xml(outside), ".docx") in ("no_text", "unreadable")
    assert reason(with_document_xml(many), ".docx") in ("no_text", "unreadable")


def test_deep_nesting_in_docx_is_unreadable() -> None:
    deep = f"<w:document {_W}><w:body>" + "<w:tbl><w:tr><w:tc>" * 5_000
    assert reason(with_document_xml(deep), ".docx") == "unreadable"


CELL = "<w:tc><w:tcPr><w:gridSpan w:val='100000000'/></w:tcPr><w:p><w:r><w:t>{}</w:t></w:r></w:p></w:tc>"


def test_wide_cells_and_many_tables_of_docx_cost_only_what_they_hold() -> None:
    row = CELL.format("Acme") + CELL.format("Driver")
    tables = f"<w:tbl><w:tr>{row}</w:tr></w:tbl>" * 2_000
    body = with_document_xml(f"<w:document {_W}><w:body>{tables}</w:body></w:document>")
    lines = resume_text(body, ".docx").text.split("\n")
    assert lines == ["Acme   Driver"] * 2_000


def test_no_more_elements_of_docx_are_read_than_the_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(docx_text, "_MAX_ELEMENTS", 300)
    paragraphs = "<w:p><w:r><w:t>a word or two</w:t></w:r></w:p>" * 1_000
    body = with_document_xml(f"<w:document {_W}><w:body>{paragraphs}</w:body></w:document>")
    assert 50 <= resume_text(body, ".docx").text.count("word") <= 300


def test_controls_and_lists_of_docx_are_read() -> None:
    control = "<w:sdt><w:sdtContent><w:p><w:r><w:t>Anna Smith, a driver</w:t></w:r></w:p></w:sdtContent></w:sdt>"
    item = "<w:p><w:pPr><w:numPr/></w:pPr><w:r><w:t>Drove</w:t></w:r><w:del><w:r><w:t>Slept</w:t></w:r></w:del></w:p>"
    body = with_document_xml(f"<w:document {_W}><w:body>{control}{item}</w:body></w:document>")
    assert resume_text(body, ".docx").text == "Anna Smith, a driver\n• Drove"


def test_xml_that_unpacks_to_too_much_is_not_parsed() -> None:
    assert reason(with_document_xml(" " * 21_000_000), ".docx") == "too_large"


def pdf(**encryption: str) -> bytes:
    writer = pypdf.PdfWriter()
    page = writer.add_blank_page(200, 200)
    font = DictionaryObject(
        {NameObject("/Type"): NameObject("/Font"), NameObject("/Subtype"): NameObject("/Type1"),
         NameObject("/BaseFont"): NameObject("/Helvetica")}
    )  # fmt: skip
    page[NameObject("/Resources")] = DictionaryObject(
        {NameObject("/Font"): DictionaryObject({NameObject("/F1"): font})}
    )
    stream = DecodedStreamObject()
    stream.set_data(b"BT /F1 12 Tf 10 100 Td (Anna Smith, a driver of many years) Tj ET")
    page[NameObject("/Contents")] = writer._add_object(stream)
    script = {NameObject("/S"): NameObject("/JavaScript"), NameObject("/JS"): TextStringObject("app.alert('run');")}
    writer.root_object[NameObject("/OpenAction")] = DictionaryObject(script)
    if encryption:
        writer.encrypt(**encryption, algorithm="RC4-128")
    file = io.BytesIO()
    writer.write(file)
    return file.getvalue()


def test_scripts_in_pdf_are_no_text() -> None:
    assert resume_text(pdf(), ".pdf").text.strip() == "Anna Smith, a driver of many years"


def test_a_pdf_that_needs_a_password_says_so_and_one_that_does_not_is_read() -> None:
    assert reason(pdf(user_password="secret"), ".pdf") == "encrypted"
    assert "driver" in resume_text(pdf(user_password="", owner_password="secret"), ".pdf").text


def test_a_docx_that_needs_a_password_says_so() -> None:
    body = b"\xd0\xcf\x11\xe0" + b"\0" * 600 + "EncryptedPackage".encode("utf-16-le")
    assert reason(body, ".docx") == "encrypted"


def test_a_pdf_whose_pages_are_each_other_s_children_ends() -> None:
    body = (
        b"%PDF-1.4\n1 0 obj\n<</Type/Catalog/Pages 2 0 R>>\nendobj\n"
        b"2 0 obj\n<</Type/Pages/Kids[2 0 R 2 0 R]/Count 99999999>>\nendobj\n"
        b"trailer\n<</Size 999999999/Root 1 0 R>>\n%%EOF"
    )
    assert reason(body, ".pdf") in ("unreadable", "no_text")


def test_tabs_between_all_words_are_spaces_and_other_tabs_are_not() -> None:
    words = "Senior Driver at Acme Ltd Jan 2019 - Present\nKept the cars of the company clean and ready at all hours"
    fields = parse(f"Anna Smith\nExperience\n{words.replace(' ', chr(9))}", ".txt")
    assert (fields.titles, fields.companies) == (["Senior Driver"], ["Acme Ltd"])
    table = "\n".join(["Acme Ltd\tSenior Driver\tJan 2019 - Present"] * 10)
    fields = parse(f"Anna Smith\nExperience\n{table}", ".txt")
    assert (fields.titles, fields.companies) == (["Senior Driver"], ["Acme Ltd"])
