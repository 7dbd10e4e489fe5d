"""The views of applications, calendar, skills, companies and market in a real browser, and the page on a phone."""

import datetime as dt
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import polars as pl
import pytest
from selenium import webdriver
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

from features.schemas.catalog import APPLICATION_EVENTS, APPLICATIONS, FOLLOW_UPS, INTERVIEWS
from features.schemas.insight import COMPANY_PROFILES
from features.schemas.table import Table
from serving.service.stream_address import StreamUrlError, stream_origin
from tests.serving.browser import all_of, complaints, is_loaded, needs_browser, texts, wait
from tests.serving.server import Server, free_port, running_server
from tests.serving.stream.world import publish
from tests.serving.world import AS_OF, company_profile, follow_up, publish_full

NASTY = "<script>document.title='broken in'</script>"
BIDI = "gpj.\u202eexe\u0007"
LINK = "javascript:document.title='broken in'"
VIEWS = (
    "feed?user=anna", "applications?user=anna", "calendar?user=anna&month=2026-03", "skills?user=anna", "companies",
    "companies?id=name:acme", "companies?id=name:acme&with=name:a", "market", "trending", "metrics", "generation",
)  # fmt: skip
COLUMNS = ["Saved\n0", "Applied\n0", "In review\n0", "Interview\n1", "Offer\n0", "Closed\n0"]
UNNAMED = "return [...document.querySelectorAll('input, select')].filter(one => !one.labels.length).map(one => one.id)"


def frame_of(table: Table, *rows: dict[str, object]) -> pl.DataFrame:
    schema = {name: kind for name, kind in table.columns.items() if any(name in row for row in rows)}
    return table.conform(pl.DataFrame([{name: row.get(name) for name in schema} for row in rows], schema=schema))


def nasty_tables() -> dict[str, pl.DataFrame]:
    """Applications and companies whose texts try to break out."""
    of_anna = {"user_id": "anna", "application_id": "app-1"}
    event = {**of_anna, "occurred_at": AS_OF, "is_refused": False, "state": "interview", "asked_state": "interview"}
    return {
        "applications": frame_of(
            APPLICATIONS,
            {**of_anna, "title": NASTY, "company": BIDI, "company_id": "name:acme", "url": LINK, "state": "interview",
             "state_since": AS_OF, "last_event_at": AS_OF, "is_silent": True, "next_action": "interview",
             "next_action_at": AS_OF, "match_percent": 71},
        ),
        "application_events": frame_of(
            APPLICATION_EVENTS,
            {**event, "position": 1, "event_id": "e1", "event_type": "status"},
            {**event, "position": 2, "event_id": "e2", "event_type": "note", "text": NASTY + BIDI},
        ),
        "interviews": frame_of(
            INTERVIEWS,
            {**of_anna, "interview_id": "i1", "status": "scheduled", "kind": "video",
             "starts_at": AS_OF + dt.timedelta(hours=8),
             "duration_minutes": 60, "revision": 0, "updated_at": AS_OF},
        ),
        "follow_ups": frame_of(FOLLOW_UPS, follow_up(1, subject=NASTY, text=BIDI)),
        "company_profiles": frame_of(
            COMPANY_PROFILES,
            company_profile("a"),
            {**company_profile("acme"), "company": NASTY,
             "facts": [{"fact": NASTY, "value": BIDI, "source": NASTY, "url": LINK, "observed_at": AS_OF}],
             "news": [{"title": NASTY, "url": LINK, "source": "a.example", "published_at": AS_OF}]},
        ),
    }  # fmt: skip


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("published")
    publish_full(folder, **nasty_tables())
    with running_server(folder) as running:
        yield running


def show(browser: webdriver.Chrome, server: Server, view: str) -> None:
    browser.get("about:blank")
    browser.get(f"{server.url}/#/{view}")
    wait(browser, is_loaded)


@needs_browser
def test_applications_stand_on_a_board_with_their_state_what_is_next_and_their_timeline(
    browser: webdriver.Chrome, server: Server
) -> None:
    show(browser, server, "applications?user=anna")
    assert texts(browser, ".column h3") == COLUMNS
    (card,) = all_of(browser, ".card")
    assert texts(card, "h4") == [NASTY]
    assert texts(card, ".chips li") == ["interview", "no news", "match 71 %"]
    assert texts(card, ".next")[0].startswith("Interview: Mar 1, 2026")
    card.find_element(By.TAG_NAME, "summary").send_keys(Keys.ENTER)
    wait(browser, lambda found: len(texts(found, ".timeline li")) == 2)
    assert f"{NASTY}gpj.exe" in texts(browser, ".timeline li")[0]
    steps = [row.split()[0] for row in texts(browser, "main .box tbody tr")]
    assert steps == ["applied", "interview"]
    assert complaints(browser) == []


@needs_browser
def test_the_calendar_shows_what_is_planned_in_the_month_and_as_a_list(
    browser: webdriver.Chrome, server: Server
) -> None:
    show(browser, server, "calendar?user=anna&month=2026-03")
    assert texts(browser, ".months h2") == ["March 2026"]
    (planned,) = [line for line in texts(browser, ".agenda li") if "Interview" in line]
    assert f"Interview: {NASTY}, gpj.exe" in planned
    assert "By video" in planned
    assert texts(browser, ".drafts summary")[0].endswith(f"{NASTY} · due")
    assert len(all_of(browser, ".month .event")) == 3, "the interview, the draft and when an offer must be answered"
    browser.find_element(By.CSS_SELECTOR, "[aria-label='Month after']").click()
    wait(browser, lambda found: texts(found, ".months h2") == ["April 2026"])
    assert "Nothing is planned." in browser.find_element(By.CSS_SELECTOR, ".agenda").text
    assert complaints(browser) == []


@needs_browser
def test_companies_are_found_by_name_and_two_stand_side_by_side(browser: webdriver.Chrome, server: Server) -> None:
    show(browser, server, "companies")
    assert texts(browser, "tbody th, tbody td a") == ["a", NASTY]
    browser.find_element(By.ID, "company").send_keys("A", Keys.ENTER)
    wait(browser, lambda found: texts(found, "h1") == ["a"])
    assert "Remote jobs: 2 of 2." in texts(browser, ".insights li")
    wait(browser, lambda found: all_of(found, ".plot canvas"))
    all_of(browser, "figure summary")[0].send_keys(Keys.ENTER)
    assert texts(browser, "figure tbody td") == ["Mar 1, 2026", "2"]
    show(browser, server, "companies?id=name:a&with=name:acme")
    assert texts(browser, ".chips li") == ["Python", "a", "acme", "Python developer", "a", "acme"]
    assert complaints(browser) == []


@needs_browser
def test_nothing_that_others_wrote_runs_or_links_anywhere_but_to_pages(
    browser: webdriver.Chrome, server: Server
) -> None:
    for view in VIEWS:
        show(browser, server, view)
        for details in all_of(browser, "main summary"):
            details.send_keys(Keys.ENTER)
        links = [found.get_attribute("href") for found in all_of(browser, "a")]
        assert all(str(link).startswith(("http://", "https://")) for link in links), view
        assert "broken in" not in browser.title, view
        assert not all_of(browser, "main script"), view
        assert "\u202e" not in browser.execute_script("return document.body.textContent"), view
        assert complaints(browser) == [], view


@needs_browser
@pytest.mark.parametrize("language", ["en", "ru"])
def test_on_a_phone_no_view_sticks_out_and_the_header_is_one_line(
    browser: webdriver.Chrome, server: Server, language: str
) -> None:
    size = {"width": 360, "height": 740, "deviceScaleFactor": 1, "mobile": True}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    browser.get(f"{server.url}/#/feed")
    browser.execute_script(f"localStorage.setItem('jobfeed-language', '{language}')")
    for view in VIEWS:
        show(browser, server, view)
        assert browser.execute_script("return document.documentElement.scrollWidth") <= 360, view
        assert browser.execute_script("return document.querySelector('header').offsetHeight") <= 64, view
    menu = browser.find_element(By.ID, "menu")
    menu.send_keys(Keys.ENTER)
    assert menu.get_attribute("aria-expanded") == "true"
    browser.find_element(By.CSS_SELECTOR, "[data-view=calendar]").send_keys(Keys.ENTER)
    wait(browser, lambda found: all_of(found, ".month"))
    assert menu.get_attribute("aria-expanded") == "false"


@needs_browser
def test_every_field_has_a_label_every_region_a_name_and_headings_are_in_order(
    browser: webdriver.Chrome, server: Server
) -> None:
    for view in VIEWS:
        show(browser, server, view)
        unnamed = browser.execute_script(UNNAMED)
        assert unnamed == [], view
        assert all(each.get_attribute("aria-label") for each in all_of(browser, "[role=region]")), view
        assert len(all_of(browser, "main")) == len(all_of(browser, "header")) == len(all_of(browser, "nav")) == 1


@pytest.mark.parametrize(
    "url", ["javascript:alert(1)", "stream.example", "https://a b", "https://a;script-src *", "ftp://a"]
)
def test_an_address_of_the_stream_that_is_none_is_refused(url: str) -> None:
    with pytest.raises(StreamUrlError, match="stream-url"):
        stream_origin(url)


def test_the_page_may_speak_to_the_stream_that_it_is_told_and_to_no_other_host(tmp_path: Path) -> None:
    publish_full(tmp_path)
    with (
        running_server(tmp_path, "--stream-url", "https://stream.example.org:8443/x") as running,
        urllib.request.urlopen(running.url) as answer,
    ):
        assert b'<meta name="jobfeed-stream" content="https://stream.example.org:8443">' in answer.read()
        assert "connect-src 'self' wss://stream.example.org:8443;" in answer.headers["content-security-policy"]


def is_live(state: str) -> Callable[[webdriver.Chrome], bool]:
    return lambda found: found.find_element(By.ID, "state").get_attribute("data-live") == state


@needs_browser
def test_the_page_is_told_of_changes_and_comes_back_to_a_stream_that_was_away(
    browser: webdriver.Chrome, tmp_path: Path
) -> None:
    publish(tmp_path, ["anna"])
    port = free_port()
    with running_server(tmp_path, "--stream-url", f"http://127.0.0.1:{port}") as running:
        with running_server(tmp_path, module="serving.stream", port=port):
            show(browser, running, "feed?user=anna")
            wait(browser, is_live("live"))
            publish(tmp_path, ["anna"], ["anna"], number=1)
            wait(browser, lambda found: "The feed has changed." in texts(found, "#notice span"))
            browser.find_element(By.ID, "notice-show").send_keys(Keys.ENTER)
            wait(browser, lambda found: is_loaded(found) and not found.find_element(By.ID, "notice").is_displayed())
        wait(browser, is_live("waiting"))
        publish(tmp_path, ["anna"], ["anna"], number=2)
        with running_server(tmp_path, module="serving.stream", port=port):
            wait(browser, is_live("live"))
            wait(browser, lambda found: "The feed has changed." in texts(found, "#notice span"))


@needs_browser
def test_the_page_works_without_the_stream_that_it_was_told_of(browser: webdriver.Chrome, tmp_path: Path) -> None:
    publish(tmp_path, ["anna"])
    with running_server(tmp_path, "--stream-url", f"http://127.0.0.1:{free_port()}") as running:
        show(browser, running, "feed?user=anna")
        wait(browser, is_live("waiting"))
        assert texts(browser, ".item h2")
