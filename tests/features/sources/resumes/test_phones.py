"""Telephone numbers of many countries among other numbers."""

import phonenumbers
import pytest
from hypothesis import given
from hypothesis import strategies as st

from features.sources.resumes.phones import first_phone
from tests.features.sources.resumes.people import PHONES

_REGIONS = ("US", "GB", "DE", "FR", "IN", "RU", "KZ", "UA", "BR", "AU", "PL", "TR", "NG", "ES", "IT", "NL", "SE", "JP",
            "CN", "AE", "SG", "ZA", "MX")  # fmt: skip


@pytest.mark.parametrize("phone", PHONES)
@pytest.mark.parametrize(
    "line", ["Springfield, IL | {} | dana@mail.example", "{}", "тел.: {}", "• {} • dana@mail.example"]
)
def test_numbers_between_separators_are_read_as_written(phone: str, line: str) -> None:
    assert first_phone([[line.format(phone)]]) == phone


@given(region=st.sampled_from(_REGIONS))
def test_numbers_with_a_country_code_are_read_anywhere(region: str) -> None:
    example = phonenumbers.example_number_for_type(region, phonenumbers.PhoneNumberType.MOBILE)
    written = phonenumbers.format_number(example, phonenumbers.PhoneNumberFormat.INTERNATIONAL)
    assert first_phone([[], [f"Call me: {written}, any day"]]) == written


@pytest.mark.parametrize(
    "line",
    ["2019 - 2021", "03.2018-05.2020", "15.03.2019 - 20.06.2023", "ID 1234567890123", "ISBN 978-3-16-148410-0",
     "$120,000 - 150,000", "12 345 678 users", "ИНН 7707083893", "2014.09 2018.06", "GPA 3.97/4.00 2018-2021",
     "Passport 45 08 123456", "+1", "555-1234"],
)  # fmt: skip
def test_other_numbers_are_no_telephones(line: str) -> None:
    assert first_phone([[line]]) is None


def test_a_number_without_a_country_code_counts_in_the_head_or_beside_a_word_for_it() -> None:
    assert first_phone([[], ["Served 9876543210 | customers"]]) is None
    assert first_phone([[], ["Tel. 9123 4567"]]) == "9123 4567"
