import gzip

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from serving.service import negotiation


@pytest.mark.parametrize(
    ("header", "language"),
    [
        ("", "en"),
        ("ru", "ru"),
        ("ru-RU,ru;q=0.9,en-US;q=0.8", "ru"),
        ("de, ru;q=0.8, en;q=0.9", "en"),
        ("en;q=0.1, RU;q=0.2", "ru"),
        ("en;q=0, *;q=0.5", "ru"),
        ("*", "en"),
        ("ru;q=0", "en"),
        ("de", "en"),
        ("ru;q=abc", "en"),
        ("ru ; q=0.7 , en ;q=0.6", "ru"),
        ("russian", "en"),
    ],
)
def test_the_preferred_language_is_used(header: str, language: str) -> None:
    assert negotiation.language_of(header) == language


@pytest.mark.parametrize(
    ("header", "encoding"),
    [
        ("", None),
        ("gzip", "gzip"),
        ("gzip, deflate, br", "gzip"),
        ("gzip, deflate, br, zstd", "zstd"),
        ("gzip;q=1, zstd;q=0.5", "gzip"),
        ("gzip;q=0", None),
        ("*", "zstd"),
        ("*;q=0", None),
        ("zstd;q=0, *", "gzip"),
        ("identity, gzip;q=0.5", None),
        ("br", None),
    ],
)
def test_the_preferred_encoding_is_used(header: str, encoding: str | None) -> None:
    assert negotiation.encoding_of(header) == encoding


@given(st.binary(max_size=5000))
def test_an_encoded_body_decodes_to_itself(body: bytes) -> None:
    assert gzip.decompress(negotiation.encoded(body, "gzip")) == body
    assert zstandard.ZstdDecompressor().decompress(negotiation.encoded(body, "zstd")) == body


@given(st.text(st.characters(max_codepoint=255), max_size=200))
def test_any_header_gives_an_answer(header: str) -> None:
    assert negotiation.language_of(header) in ("en", "ru")
    assert negotiation.encoding_of(header) in (None, "gzip", "zstd")
    assert negotiation.is_unchanged(header, '"never"') is ('"never"' in header)


@pytest.mark.parametrize("given_tags", ['"a"', 'W/"a"', '"b", "a"', '"b",W/"a"  , "c"'])
def test_the_etag_is_found_in_a_list(given_tags: str) -> None:
    assert negotiation.is_unchanged(given_tags, '"a"')
    assert not negotiation.is_unchanged(given_tags, '"d"')
