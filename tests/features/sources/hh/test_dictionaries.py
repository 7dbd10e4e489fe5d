"""HH's dictionaries to tables; what is none raises, and what is odd within one is left out."""

import json
from contextlib import suppress

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from features.schemas.bronze import HH_AREAS, HH_ROLES
from features.sources.hh.dictionaries import NoDictionaryError, parse_areas, parse_rates, parse_roles


def test_a_tree_of_areas_is_one_row_an_area() -> None:
    tree = [
        {"id": "40", "parent_id": None, "name": "Казахстан", "areas": [
            {"id": "160", "parent_id": "40", "name": "Алматы", "lat": 43.25, "lng": 76.9, "utc_offset": "+05:00"},
            {"id": "205", "name": "Шымкент", "areas": [], "lat": 999, "lng": 1, "is_new": True},
            {"id": "x", "name": "no id"}, {"id": "7"}, None, 5,
        ]},
    ]  # fmt: skip
    areas = parse_areas(json.dumps(tree).encode())
    HH_AREAS.validate(areas)
    assert areas.rows() == [
        ("160", "40", "Алматы", 43.25, 76.9, "+05:00"),
        ("205", "40", "Шымкент", None, None, None),
        ("40", None, "Казахстан", None, None, None),
    ]


def test_a_role_of_two_categories_is_one_row() -> None:
    role = {"id": "96", "name": "Программист", "search_deprecated": False}
    answer = {
        "categories": [{"roles": [role, {"id": "1", "name": "Старая", "search_deprecated": True}]}, {"roles": [role]}]
    }
    roles = parse_roles(json.dumps(answer).encode())
    HH_ROLES.validate(roles)
    assert roles.rows() == [("1", "Старая", True), ("96", "Программист", False)]


def test_rates_per_rouble_become_units_per_dollar_under_their_iso_codes() -> None:
    stated = [
        ("RUR", 1),
        ("USD", 0.01),
        ("KZT", 5.0),
        ("BYR", 0.04),
        ("EUR", 0),
        ("GEL", None),
        ("X", 2),
        ("UAH", "0,5"),
    ]
    body = json.dumps({"currency": [{"code": code, "rate": rate} for code, rate in stated] + [None]}).encode()
    assert parse_rates(body).rows() == [("BYN", 4.0), ("KZT", 500.0), ("RUB", 100.0), ("UAH", 50.0), ("USD", 1.0)]


@pytest.mark.parametrize("parse", [parse_areas, parse_roles, parse_rates])
@pytest.mark.parametrize(
    "body",
    [
        b"", b"<html>", b"[]", b"{}", b"null", b"[" * 100_000, b'{"categories": [{"roles": 7}], "currency": 7}',
        b'{"errors": [{"type": "forbidden"}]}', b'{"currency": [{"code": "USD", "rate": 0.01}]}',
        b'{"currency": [{"code": "RUR", "rate": 2}, {"code": "USD", "rate": 0.01}]}',
    ],
)  # fmt: skip
def test_what_is_no_dictionary_raises(parse: object, body: bytes) -> None:
    with pytest.raises(NoDictionaryError):
        parse(body)  # type: ignore[operator]


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["id", "name", "areas", "lat", "lng", "categories", "roles", "currency", "code", "rate"]),
            inner,
            max_size=4,
        )
    ),
    max_leaves=20,
)


@given(st.binary(max_size=60) | values.map(lambda value: json.dumps(value).encode()))
@example(b'[{"id": "1", "name": "a", "areas": [{"id": "1", "name": "a"}]}]')
@settings(max_examples=150, deadline=None)
def test_any_bytes_are_a_dictionary_or_none(body: bytes) -> None:
    for parse in (parse_areas, parse_roles, parse_rates):
        with suppress(NoDictionaryError):
            assert parse(body).height > 0
