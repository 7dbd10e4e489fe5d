"""What is struck out of text that was refused: how to reach a person, and the person's name where a key tells it."""

import polars as pl
import pytest

from features.sources.parsed import mask_contacts


def struck_out(text: str) -> str:
    return str(pl.DataFrame({"raw": [text]}).select(mask_contacts(pl.col("raw"))).item())


@pytest.mark.parametrize(
    "line",
    [
        '{"email": "anna@mail.example", "phone": "+7 999 123-45-67", "full_name": "Anna \\" Smith"}',
        '{"user_id": "u1", "Email" : "anna@mail.example", "phone": 79991234567, "full_name": "Anna Smith',
        "anna@mail.example;+7 (999) 123-45-67",
        "{'user_id': 'u1', 'email': 'anna@mail.example', 'phone': '8 999 123-45-67', 'firstName': 'Anna'}",
        '{"context": {"traits": {"email": "anna@mail.example", "last_name": "Smith"}}}',
        r'{"note": "anna\u0040mail.example"}',
        r'{"note": "anna\\u0040mail\\u002eexample"}',
        "https://a.example/?to=anna%40mail.example&tel=%2B7%20999%20123-45-67",
        "https://a.example/?to=anna%2540mail%252Eexample",
        "anna&#64;mail.example, anna&#x40;mail.example, anna&commat;mail.example",
        "anna (at) mail (dot) example; anna[at]mail.example; anna＠mail.example",
        "tel 8 (999) 123-45-67",
        "tel: 8-999-123-45-67, 89991234567 or 9991234567",
        "call (212) 999-4567 or 212-999-4567 or 2129994567",
        "Tel. 0999 123-4567, 09991234567, 099 91 23 45 67",
        "+7\u00a0999\u00a0123\u201145\u201167",
        "+7 (999) 123 45 67",
        "８（９９９）１２３-45-67, ＋７９９９１２３４５６７, ａｎｎａ＠ｍａｉｌ．ｅｘａｍｐｌｅ, +٧٩٩٩١٢٣٤٥٦٧",
        "8-999-1234567, 8(999)1234567, 8 9991234567, (999)1234567, tel:8-999-123-45-67",
        "anna(собака)mail.example, anna [собака] mail [точка] example, anna at mail dot example",
        "anna=40mail.example, anna\u200b@\u200bmail.example, anna@mail\u2060.example",
        '{"mobile":89991234567,"tel":"8 999 123-45-67","phone_number":"x999","whatsapp":"999"}',
        "https://wa.me/79991234567 and t.me/anna_smith",
    ],
)
def test_no_contacts_are_left(line: str) -> None:
    assert not any(secret in struck_out(line) for secret in ("anna", "Anna", "Smith", "999", "123-45"))


@pytest.mark.parametrize(
    "line",
    [
        '{"event_id":"e+1","user_id":"u1","occurred_at":"2026-11-20T10:00:00+05:00","dwell_seconds":1764000000}',
        '{"occurred_at":1764000000123,"value":12345.678,"job_id":"hh:120000041"}',
        "2026-03-01,2026.03.01,01.03.2026,2026-03-01 10:00:00.123456",
        "0f8fad5b-d9cb-469f-a165-70867728950e",
        "line 3: expected 12 fields, received 14 (1 of 250)",
        "look at this and that",
        "look at jobs of dot net",
        '{"id":9123456789,"n":82345678901,"total":7123456789012}',
        "?size=400&limit=40",
        "10:00:00 192.168.0.1:8080 v1.2.3-4",
    ],
)
def test_all_else_is_left_as_it_is(line: str) -> None:
    assert struck_out(line) == line
