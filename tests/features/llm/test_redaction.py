"""What is taken out of texts before they are sent."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from features.llm.redaction import message_for_model, resume_for_model

LINES = [
    "Анна Примерова — Data Engineer",
    "anna.primerova+jobs@mail.example.org | +7 (701) 123-45-67 | 8 701 123 45 67 | https://linkedin.com/in/anna-p",
    "github.com/primerova, telegram @primerova_a",
    "Дата рождения: 12.03.1990",
    "Date of birth: 12 March 1990",
    "Acme, Data Engineer, 01.2019 - 03.2023, Python, SQL",
    "2015-2019 Northwind: budget of 1 200 000 USD. Anna led five people.",
]


def test_nothing_that_reaches_the_person_is_left_and_the_work_is() -> None:
    text = resume_for_model(LINES, name="Анна Примерова", max_characters=5_000)
    for part in ("mail.example", "701", "linkedin", "github", "primerova", "Примерова", "Анна", "1990", "@"):
        assert part not in text
    for part in ("Data Engineer", "01.2019 - 03.2023", "Python, SQL", "2015-2019 Northwind", "led five people"):
        assert part in text


@pytest.mark.parametrize("greeting", ["Dear Ms Smith,", "Hi Anna!", "Здравствуйте, Анна Петровна!", "Уважаемая Анна,"])
def test_the_greeted_person_is_not_named(greeting: str) -> None:
    text = message_for_model(f"{greeting}\nWe invite you.\nhr@acme.example", name=None, max_characters=1_000)
    for name in ("Smith", "Anna", "Анна", "Петровна", "acme"):
        assert name not in text
    assert "We invite you." in text


@given(st.text(), st.emails(), st.text(max_size=20))
def test_no_address_survives_in_any_text(text: str, address: str, name: str) -> None:
    sent = resume_for_model([text, f"mail: {address} ok"], name=name, max_characters=5_000)
    assert address not in sent
    assert len(sent) <= 5_000


@pytest.mark.parametrize("piece", ["a.", "a@", "1 ", "+7(", "www.", "\n", "[removed]"])
def test_hostile_repetitions_take_no_long_time(piece: str) -> None:
    resume_for_model([piece * 100_000], name=piece * 10, max_characters=20_000)
