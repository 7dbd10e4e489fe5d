"""A real browser that tests of the page drive, and what they ask it."""

import shutil
from collections.abc import Callable

import pytest
from selenium import webdriver
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.ui import WebDriverWait

CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
CHROMEDRIVER = shutil.which("chromedriver")
needs_browser = pytest.mark.skipif(
    not (CHROMIUM and CHROMEDRIVER), reason="chromium and chromedriver are not installed"
)


def wait(browser: webdriver.Chrome, until: Callable[[webdriver.Chrome], object]) -> None:
    WebDriverWait(browser, 30, poll_frequency=0.05).until(until)


def is_loaded(browser: webdriver.Chrome) -> bool:
    return browser.find_element(By.ID, "main").get_attribute("data-state") == "loaded"


def all_of(place: webdriver.Chrome | WebElement, selector: str) -> list[WebElement]:
    return place.find_elements(By.CSS_SELECTOR, selector)


def texts(place: webdriver.Chrome | WebElement, selector: str) -> list[str]:
    return [found.text for found in all_of(place, selector)]


def complaints(browser: webdriver.Chrome) -> list[str]:
    return [line["message"] for line in browser.get_log("browser") if line["level"] in ("WARNING", "SEVERE")]
