"""The page at `/` in a real browser: it shows what the service answers, escapes it, and works without a mouse."""

import hashlib
import re
from collections.abc import Iterator
from pathlib import Path

import polars as pl
import pytest
from selenium import webdriver
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

from assets.config.files import SHIPPED_VOCABULARY
from features.schemas.features import PREFERENCES
from features.vocabulary.display_names import display_names
from serving.service.system_endpoints import STATIC
from tests.factories import jobs
from tests.serving.browser import all_of, complaints, is_loaded, needs_browser, texts, wait
from tests.serving.server import Server, running_server
from tests.serving.world import digests_of_anna, publish_full

SOURCES = {path.name: path.read_text(encoding="utf-8") for path in STATIC.glob("*.*") if path.suffix != ".svg"}
VENDORED = STATIC / "vendor"
NASTY = "<img src=x onerror=\"document.title='broken in'\"><b>bold</b>"


def test_the_page_names_no_other_host_and_holds_no_inline_script_or_style() -> None:
    for name, source in SOURCES.items():
        assert not re.search(r"(?:src|href|url\(|import|fetch\()\s*=?\s*[\"'(]?(?:https?:)?//", source), name
        assert not re.search(r"\bon[a-z]+\s*=\s*[\"']", source), name
        assert "innerHTML" not in source, name
        assert "eval(" not in source, name
    assert "<style" not in SOURCES["index.html"]
    assert " style=" not in SOURCES["index.html"]
    assert re.findall(r"<script[^>]*>", SOURCES["index.html"]) == ['<script type="module" src="/static/page.js">']


def test_what_others_wrote_is_as_they_published_it_and_states_its_licence() -> None:
    sums = [line.split() for line in (VENDORED / "SHA256SUMS").read_text().splitlines()]
    assert {name for _, name in sums} == {path.name for path in VENDORED.glob("uPlot.*")}
    for digest, name in sums:
        assert hashlib.sha256((VENDORED / name).read_bytes()).hexdigest() == digest, f"{name}: run make vendor"
    assert "MIT License" in (VENDORED / "uPlot.LICENSE").read_text()


def test_every_text_of_the_page_is_there_in_both_languages() -> None:
    english, russian = re.findall(r"^  (?:en|ru): \{(.*?)^  \},$", SOURCES["texts.js"], flags=re.DOTALL | re.MULTILINE)
    key = re.compile(r"(?:^|,)\s*\"?(\w+(?: \w+)?)\"?: \"", flags=re.MULTILINE)
    keys = [set(key.findall(texts)) for texts in (english, russian)]
    assert len(keys[0]) > 80
    assert keys[0] == keys[1]
    used = set(re.findall(r"\btext\(\"(\w+)\"\)", "".join(SOURCES.values())))
    used |= set(re.findall(r"data-text=\"(\w+)\"", SOURCES["index.html"]))
    assert used <= keys[0]


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("published")
    rows = [{"job_id": "hh:1", "title": NASTY}, {"job_id": "hh:3", "url": "javascript:document.title='broken in'"}]
    publish_full(folder, jobs=jobs(rows))
    return folder


@pytest.fixture(scope="module")
def server(published: Path) -> Iterator[Server]:
    with running_server(published) as running:
        yield running


@needs_browser
def test_a_feed_is_found_by_keyboard_and_shown_with_reasons_components_and_similar_jobs(
    browser: webdriver.Chrome, server: Server
) -> None:
    browser.get(server.url)
    wait(browser, is_loaded)
    browser.find_element(By.ID, "user").send_keys("anna", Keys.ENTER)
    wait(browser, lambda found: len(texts(found, ".item")) == 4)
    assert texts(browser, ".item h2")[0] == NASTY
    assert "Matches your skills: Python, SQL" in texts(browser, ".reasons li")
    assert "personal feed" in browser.find_element(By.CSS_SELECTOR, ".summary").text
    wait(browser, lambda found: "1 new job" in " ".join(texts(found, "aside .box")))
    assert "Docker" in " ".join(texts(browser, "aside .chips"))
    (step,) = texts(browser, "aside .steps li")
    assert step == "Docker · 12 h · more jobs: 3\nDocker: get started"
    assert browser.find_element(By.CSS_SELECTOR, "aside .steps a").get_attribute("href") == "https://docs.docker.com/"

    browser.find_element(By.CSS_SELECTOR, ".item summary").send_keys(Keys.ENTER)
    wait(browser, lambda found: texts(found, ".item .similar li"))
    assert "Engineer 2 <b>&</b>" in texts(browser, ".item .similar li")[0]
    assert texts(browser, ".item .match li") == ["You can work remotely"]
    assert "0.85 × 100%" in texts(browser, ".components dd")[0]
    links = [found.get_attribute("href") for found in all_of(browser, ".items h2 a, .similar a[target]")]
    assert links
    assert all(str(link).startswith("https://hh.ru/") for link in links), "a job's link goes to http(s) only"
    assert "broken in" not in browser.title
    assert complaints(browser) == []


@needs_browser
def test_every_view_is_shown_in_both_languages_and_the_theme_follows_the_choice(
    browser: webdriver.Chrome, server: Server
) -> None:
    for view, expected in (
        ("trending", "Разработчик 3"),
        ("market", "Python"),
        ("metrics", "apply rate"),
        ("generation", "reason_templates"),
    ):
        browser.get(f"{server.url}/#/{view}")
        wait(browser, lambda found, expected=expected: expected in found.find_element(By.ID, "main").text)  # type: ignore[misc]
    ground = "return getComputedStyle(document.body).backgroundColor"
    browser.find_element(By.ID, "theme").click()
    light = browser.execute_script(ground)
    browser.find_element(By.ID, "theme").click()
    assert browser.execute_script(ground) != light
    browser.find_element(By.ID, "language").click()
    assert browser.find_element(By.CSS_SELECTOR, "[data-view=feed]").text == "Лента"
    browser.get(f"{server.url}/#/feed?user=anna")
    wait(browser, lambda found: "Подходит по навыкам: Python, SQL" in texts(found, ".reasons li"))
    assert browser.execute_script("return document.documentElement.lang") == "ru"
    browser.get(f"{server.url}/docs")
    assert "GET /v1/users/{user_id}/feed" in texts(browser, "h2")
    assert complaints(browser) == []


RUSSIAN_WORLD = {
    "city_ru": "Алматы", "board": "Доска", "employment_type": "full_time", "career_level": "senior",
    "company": "Компания", "salary_gross": True,
}  # fmt: skip
# Names, ids and what the address bar may hold.
NAMES_ON_THE_PAGE = re.compile(
    r"jobfeed|API|Docker: get started|"
    r"developer|My application|Regards, \{name\}|Cook|note \d|acme|b/compare|a\.example|Opens|\bsite\b|\ba\b|app-1|"
    r"EN\b|Python|SQL|Docker|marketplace|default|anna|hh:\d+|KZ|\bn\b|Engineer \d <b>&</b>"
)


@needs_browser
def test_the_russian_page_holds_no_english_word_outside_of_names_and_job_texts(
    browser: webdriver.Chrome, tmp_path: Path
) -> None:
    rows = [{"job_id": f"hh:{number}", **RUSSIAN_WORLD} for number in range(1, 9)]
    digest = digests_of_anna().with_columns(title=pl.lit("Подборка"), summary=pl.lit("Одна"), text=pl.lit("Текст"))
    preferences = pl.DataFrame(
        {
            "user_id": ["anna"] * 4,
            "dimension": ["skill", "role", "city", "career_level"],
            "value": ["Data Analysis", "data_engineer", "Almaty", "senior"],
            "affinity": [0.9, 0.8, 0.7, 0.6],
            "confidence": [0.5] * 4,
            "n": [5] * 4,
        }
    )
    town = pl.DataFrame({"kind": ["place"], "name": ["Almaty"], "language": ["ru"], "text": ["Алматы"]})
    publish_full(
        tmp_path,
        jobs=jobs(rows),
        digests=digest,
        preferences=PREFERENCES.conform(preferences),
        display_names=pl.concat([display_names(SHIPPED_VOCABULARY), town]),
    )
    with running_server(tmp_path) as running:
        browser.get(running.url)
        wait(browser, is_loaded)
        browser.find_element(By.ID, "language").click()
        for view, expected in (
            ("feed?user=anna", "Алматы, Казахстан"),
            ("trending", "24 часа"),
            ("market", "навык"),
            ("metrics", "доля откликов"),
            ("applications?user=anna", "Собеседование"),
            ("calendar?user=anna&month=2026-03", "Собеседование"),
            ("skills?user=anna", "не хватает"),
            ("companies", "Больше всех нанимают"),
            ("companies?id=name:acme", "Похожие компании"),
            ("companies?id=name:acme&with=name:a", "Коротко"),
        ):
            browser.get(f"{running.url}/#/{view}")
            wait(browser, lambda found, expected=expected: expected in found.find_element(By.ID, "main").text)  # type: ignore[misc]
            for details in all_of(browser, "details summary"):
                details.click()
            if view.startswith("feed"):
                wait(browser, lambda found: texts(found, "aside .chips") and texts(found, ".item .similar li"))
                assert "от 1 000 $ в месяц, до вычета налогов" in texts(browser, ".item .line")[0].replace("\xa0", " ")
                assert {"навык: Анализ данных", "город: Алматы"} <= set(texts(browser, "aside td"))
            shown = browser.find_element(By.TAG_NAME, "body").text
            assert re.findall("[A-Za-z]+", NAMES_ON_THE_PAGE.sub("", shown)) == [], view
        assert complaints(browser) == []


@needs_browser
def test_where_tokens_are_needed_the_page_asks_for_one(
    browser: webdriver.Chrome, published: Path, tmp_path: Path
) -> None:
    (tmp_path / "tokens").write_text(f"desk {hashlib.sha256(b'letmein').hexdigest()}\n")
    with running_server(published, environment={"JOBFEED_API_TOKENS": str(tmp_path / "tokens")}) as guarded:
        browser.get(f"{guarded.url}/#/feed?user=anna")
        wait(browser, lambda found: found.find_element(By.ID, "token-dialog").get_attribute("open"))
        browser.find_element(By.ID, "token-input").send_keys("letmein", Keys.ENTER)
        wait(browser, lambda found: len(texts(found, ".item")) == 4)
        assert "letmein" not in browser.page_source


@needs_browser
def test_a_failure_is_shown_and_can_be_tried_again(browser: webdriver.Chrome, server: Server) -> None:
    browser.get(f"{server.url}/#/feed?user={'x' * 200}")
    wait(browser, lambda found: "user_id" in " ".join(texts(found, ".failure")))
    assert texts(browser, ".failure button") == ["Try again"]
