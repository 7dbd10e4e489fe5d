"""Quirks of single RSS boards, each on an item written as that board writes them."""

import html
import json

import pytest

from features.sources.feeds.entries import FeedContext
from features.sources.feeds.formats import parse_feed


def read(title: str, link: str, description: str = "", extra: str = "") -> dict[str, object]:
    item = (
        f"<item><title>{html.escape(title)}</title><link>{html.escape(link)}</link>"
        f"<description>{html.escape(description)}</description>{extra}</item>"
    )
    document = f"<rss version='2.0' xmlns:dc='http://purl.org/dc/elements/1.1/'><channel>{item}</channel></rss>"
    return parse_feed(document.encode(), feed=FeedContext("board", "rss")).rows.row(0, named=True)


def columns(row: dict[str, object], *names: str) -> tuple[object, ...]:
    return tuple(row[name] for name in names)


def test_habr_states_skills_and_level_as_hashtags_and_place_and_pay_in_the_title() -> None:
    row = read(
        "Требуется «Разработчик» (Казань, от 90 000 до 120 000 ₽)",
        "https://career.habr.com/vacancies/1000",
        "Компания «Ромашка» ищет хорошего специалиста на вакансию «Разработчик». Казань (Россия). От 90 000 ₽ до "
        "120 000 ₽. Полный рабочий день. Можно удалённо. Требуемые навыки: "
        "#middle, #Python, #Управление_проектами, #C#.",
        "<author>ООО Ромашка</author><guid>1000</guid>",
    )
    assert columns(row, "title", "company", "location_text", "source_id") == (
        "Разработчик", "ООО Ромашка", "Казань", "1000",
    )  # fmt: skip
    assert columns(row, "work_format", "employment_type", "career_level") == ("remote", "full_time", "middle")
    assert row["skills"] == ["Python", "Управление проектами", "C#"] and row["salary_text"] == "от 90 000 до 120 000 ₽"


@pytest.mark.parametrize(
    ("places", "expected"),
    [
        ("Київ, віддалено", ("Київ", "remote")),
        ("віддалено", ("Remote", "remote")),
        ("Львів, Київ", ("Львів, Київ", None)),
    ],
)
def test_dou_says_remote_among_the_places(places: str, expected: tuple[str | None, str | None]) -> None:
    row = read(f"QA Lead в Roga, $4000–5000, {places}", "https://jobs.dou.ua/companies/r/vacancies/55/?utm_source=x")
    assert columns(row, "location_text", "work_format") == expected
    assert columns(row, "title", "company", "salary_text", "source_id") == ("QA Lead", "Roga", "$4000–5000", "55")


def test_python_org_puts_the_place_into_the_first_line() -> None:
    row = read("Senior Dev, Acme", "https://www.python.org/jobs/7/", "Oslo, Norway\n<h2>About us</h2><p>We…</p>")
    assert columns(row, "title", "company", "location_text") == ("Senior Dev", "Acme", "Oslo, Norway")


def test_jobspresso_names_company_and_place_as_the_author() -> None:
    author = "<dc:creator><![CDATA[Acme<br>\nWorldwide]]></dc:creator>"
    row = read("Marketer", "https://jobspresso.co/job/marketer/", extra=author)
    assert columns(row, "company", "location_text", "work_format") == ("Acme", "Worldwide", "remote")


def test_djinni_ids_come_from_the_link_and_no_company_is_invented() -> None:
    row = read("Middle Python Developer", "https://djinni.co/jobs/55-middle-python/?utm=x", "We look for…")
    assert columns(row, "source_id", "company", "title") == ("55", None, "Middle Python Developer")


def test_remote_ok_text_that_is_encoded_twice_is_put_right() -> None:
    row = read("DÃ©veloppeur", "https://remoteok.com/remote-jobs/remote-dev-acme-123456", "CafÃ©")
    assert columns(row, "title", "description", "work_format", "source_id") == (
        "Développeur", "Café", "remote", "123456",
    )  # fmt: skip


COMMENT = 'New comment by anna in "Ask HN: Who is hiring? (March 2026)"'


@pytest.mark.parametrize(
    ("first_line", "expected"),
    [
        (
            "Acme | Senior Backend Engineer | Berlin, Germany | REMOTE (EU) | Full-time | €80k - €100k",
            ("Acme", "Senior Backend Engineer", "Berlin, Germany", "remote", "full_time", "€80k - €100k"),
        ),
        (
            "Acme (YC S20) | New York | Onsite | Product Designer | https://acme.example",
            ("Acme (YC S20)", "Product Designer", "New York", "on_site", None, None),
        ),
        ("Acme | Hybrid in Oslo", ("Acme", "Acme | Hybrid in Oslo", "Hybrid in Oslo", "hybrid", None, None)),
        ("We are hiring a plumber", (None, "We are hiring a plumber", None, None, None, None)),
    ],
)
def test_hacker_news_comments_say_all_in_their_first_line(first_line: str, expected: tuple[str | None, ...]) -> None:
    link = "https://news.ycombinator.com/item?id=4242"
    names = ("company", "title", "location_text", "work_format", "employment_type", "salary_text", "source_id")
    body = f"{html.escape(first_line)}<p>We make pipes | and valves.<p>Write to us"
    assert columns(read(COMMENT, link, body), *names) == (*expected, "4242")
    item = {"id": link, "title": COMMENT, "content_html": body, "url": link}
    feed = {"version": "https://jsonfeed.org/version/1.1", "items": [item]}
    parsed = parse_feed(json.dumps(feed).encode(), feed=FeedContext("board", "jsonfeed"))
    assert columns(parsed.rows.row(0, named=True), *names) == (*expected, "4242")


def test_posts_of_young_companies_name_themselves() -> None:
    row = read("Acme (YC S20) Is Hiring a Plumber", "https://news.ycombinator.com/item?id=7")
    assert columns(row, "company", "title") == ("Acme", "Plumber")


def test_a_board_that_states_nothing_more_keeps_what_its_elements_say() -> None:
    row = read("Cook", "https://b.example/1", "Any | thing", "<author>me@x.example (Me)</author>")
    assert columns(row, "title", "company", "location_text") == ("Cook", None, None)
