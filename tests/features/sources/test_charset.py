"""Which encoding bytes are taken to be in: mostly UTF-8 is UTF-8, and bytes tell other Cyrillic encodings apart."""

import pytest

from features.sources.charset import decode_feed

TEXT = "<title>Программист Python в Алматы: разработка сервисов, поддержка</title>"


def decoded(body: bytes, *, content_type: str | None = None, url: str | None = None) -> str:
    return decode_feed(body, content_type=content_type, url=url)


@pytest.mark.parametrize(("content_type", "url"), [(None, None), ("text/xml; charset=windows-1251", "https://x.ru/")])
@pytest.mark.parametrize("damage", ["cut", "one bad byte", "a sentence of another encoding"])
def test_damage_to_utf8_costs_what_is_damaged_and_nothing_else(damage: str, content_type: str, url: str) -> None:
    body = {
        "cut": TEXT.encode() + "<title>Повар".encode()[:-1],
        "one bad byte": TEXT.encode()[:20] + b"\xff" + TEXT.encode()[20:] + TEXT.encode(),
        "a sentence of another encoding": TEXT.encode() + "<p>Повар</p>".encode("windows-1251"),
    }[damage]
    assert "поддержка</title>" in decoded(body, content_type=content_type, url=url)


@pytest.mark.parametrize("encoding", ["windows-1251", "koi8-r", "utf-16", "utf-8-sig"])
def test_cyrillic_of_any_encoding_is_recognised_by_its_bytes(encoding: str) -> None:
    assert decoded(TEXT.encode(encoding)) == TEXT


@pytest.mark.parametrize("encoding", ["gbk", "shift-jis", "big5", "windows-1252", "iso-8859-2"])
def test_a_declared_encoding_is_believed_where_the_bytes_are_not_utf8(encoding: str) -> None:
    texts = {"gbk": "高级软件工程师，北京", "shift-jis": "東京のエンジニア", "big5": "臺北軟體工程師"}
    text = texts.get(encoding, "Größe ä ö ü")
    assert decoded(text.encode(encoding), content_type=f"text/xml; charset={encoding}") == text
