"""The head of a resume: name, e-mail address and city in the forms that people write."""

import pytest

from tests.features.sources.resumes.test_parsing import parse

BODY = "\nSkills\nPython, SQL, Docker\n"


@pytest.mark.parametrize(
    "contacts",
    [
        "Springfield, IL | dana@mail.example | (718) 555-0100", "(718) 555–0100 • dana@mail.example • Springfield, IL",
        "dana@mail.example\nSpringfield, IL 62701\n(718) 555-0100", "Address: 12 Main Street, Springfield, IL 62701",
        "Springfield IL, dana@mail.example", "Location: Springfield, IL", "Springfield, IL   dana@mail.example",
        "Based in Springfield, IL", "Contact\nSpringfield, IL\ndana@mail.example", "City:\nSpringfield\nPhone: 555",
    ],
)  # fmt: skip
def test_the_city_is_read_wherever_the_head_has_it(contacts: str) -> None:
    fields = parse(f"DANA REYES\n{contacts}{BODY}")
    assert (fields.full_name, fields.city, fields.country) == ("Dana Reyes", "Springfield", "US")


@pytest.mark.parametrize("line", ["Berlin Consulting Ltd", "I have seen Berlin", "Reyes", "Python | Go"])
def test_other_words_are_no_city(line: str) -> None:
    assert parse(f"Dana Reyes\n{line}{BODY}").city is None


@pytest.mark.parametrize(
    "head",
    [
        "Reyes, Berlin\nberlin.reyes@mail.example", "BERLIN\nREYES\nberlin@mail.example", "Berlin\nReyes\nPhone: 555",
        "Berlin Reyes\nBerlin\nReyes", "Казань\nВолков\nvolkov@mail.example",
    ],
)  # fmt: skip
def test_a_name_that_is_a_city_as_well_is_no_place(head: str) -> None:
    assert parse(head + BODY).city is None


def test_a_city_that_the_gazetteer_lacks_is_kept_beside_a_known_country() -> None:
    fields = parse(f"Dana Reyes\nNeudorf am Berg, Germany{BODY}")
    assert (fields.city, fields.country) == ("Neudorf am Berg", "DE")


def test_places_of_work_are_not_the_person_s() -> None:
    text = f"Dana Reyes{BODY}Experience\nDriver, Acme, 2015 - 2019\nLocation: Berlin, Germany\n- Drove"
    assert parse(text).city is None


@pytest.mark.parametrize(
    ("head", "name"),
    [
        ("DANA REYES", "Dana Reyes"), ("Dr. Dana Reyes, Ph.D.", "Dana Reyes"), ("Resume of Dana Reyes", "Dana Reyes"),
        ("CURRICULUM VITAE\nDana Reyes", "Dana Reyes"), ("Dana Reyes | Data Engineer", "Dana Reyes"),
        ("Dana Reyes — Data Engineer", "Dana Reyes"), ("Резюме: Иванова Анна Сергеевна", "Иванова Анна Сергеевна"),
        ("Data Engineer\nDana Reyes\ndana.reyes@mail.example", "Dana Reyes"), ("Mary-Ann O'Neill", "Mary-Ann O'Neill"),
        ("HANNAH COOK\nh.cook@mail.example", "Hannah Cook"), ("Сергей Повар\npovar@mail.example", "Сергей Повар"),
        ("Name: Li Wei", "Li Wei"), ("Name      : Li Wei", "Li Wei"),
        ("ФИО: Ким Анна", "Ким Анна"), ("Sofia van der Berg", "Sofia van der Berg"),
        ("IAN MCALLISTER", "Ian McAllister"),
        ("JAN KüSTER   RESUME", "Jan Küster"), ("Dana Reyes - Resume", "Dana Reyes"),
    ],
)  # fmt: skip
def test_names_are_read_with_what_stands_around_them(head: str, name: str) -> None:
    assert parse(head + BODY).full_name == name


@pytest.mark.parametrize(
    ("written", "email"),
    [
        ("E-mail:dana@mail.example", "dana@mail.example"), ("<Dana.Reyes@Mail.Example>.", "dana.reyes@mail.example"),
        ("mailto:d_reyes+jobs@mail.example", "d_reyes+jobs@mail.example"), ("o'neill@mail.example",
        "o'neill@mail.example"),
        ("@dana_on_a_network", None),
    ],
)  # fmt: skip
def test_addresses_are_read_whole(written: str, email: str | None) -> None:
    assert parse(f"Dana Reyes\n{written}{BODY}").email == email
