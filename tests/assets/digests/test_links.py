import datetime as dt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assets.config.pipeline import DigestSettings
from assets.digests.links import KEYS_VARIABLE, BadTokenError, DigestLinks, LinkKeysError

OLD, NEW = "an old key of at least 32 bytes..", "a new key of at least 32 bytes..."
ADDRESS = "https://example.org/u/{token}"
DAY = dt.date(2026, 3, 1)
user_ids = st.text(st.characters(exclude_categories=("C", "Z")), min_size=1, max_size=128)


def links(keys: str = NEW, address: str = ADDRESS, view: str = "") -> DigestLinks:
    keys = keys.replace(" ", "_") if keys in (OLD, NEW) else keys
    return DigestLinks.of(DigestSettings(unsubscribe_url=address, view_url=view), {KEYS_VARIABLE: keys})


def token_of(made: DigestLinks, user_id: str) -> str:
    url = made.unsubscribe_url(user_id)
    assert url is not None
    return url.removeprefix("https://example.org/u/")


@given(user_id=user_ids)
def test_a_link_opens_to_its_user_and_says_nothing_else(user_id: str) -> None:
    token = token_of(links(), user_id)
    assert links().user_of_token(token) == user_id
    assert token.replace("-", "a").replace("_", "a").isalnum()
    assert len(user_id) < 3 or user_id not in token
    assert token == token_of(links(), user_id)


@given(user_id=user_ids, day=st.dates())
def test_the_name_of_a_message_opens_to_its_digest(user_id: str, day: dt.date) -> None:
    assert links().digest_of_message(links().message_name(user_id, day)) == (user_id, day)


@given(user_id=user_ids, at=st.integers(0, 10_000), other=st.sampled_from("ABcd09-_"))
def test_a_changed_token_is_no_token(user_id: str, at: int, other: str) -> None:
    token = token_of(links(), user_id)
    changed = token[: at % len(token)] + other + token[at % len(token) + 1 :]
    try:
        assert links().user_of_token(changed) == user_id  # its last character may hold bits that don't count
    except BadTokenError:
        assert changed != token


@pytest.mark.parametrize("token", ["", "x", "not a token", "!" * 30, "ы" * 30, "A" * 40, "A" * 100_000])
def test_a_made_up_token_is_refused(token: str) -> None:
    with pytest.raises(BadTokenError):
        links().user_of_token(token)


def test_a_token_of_one_purpose_is_none_of_another() -> None:
    with pytest.raises(BadTokenError):
        links().user_of_token(links().message_name("anna", DAY))
    with pytest.raises(BadTokenError):
        links().digest_of_message(token_of(links(), "anna"))


def test_after_a_change_of_keys_old_links_still_work() -> None:
    before = links(OLD)
    both = links(f"{NEW.replace(' ', '_')} {OLD.replace(' ', '_')}")
    assert both.user_of_token(token_of(before, "anna")) == "anna"
    assert token_of(both, "anna") == token_of(links(NEW), "anna") != token_of(before, "anna")
    with pytest.raises(BadTokenError):
        links(NEW).user_of_token(token_of(before, "anna"))


def test_without_key_or_address_there_is_no_link() -> None:
    assert links(keys="").unsubscribe_url("anna") is None
    assert links(address="").unsubscribe_url("anna") is None
    with pytest.raises(LinkKeysError, match=f"{KEYS_VARIABLE} is not set"):
        links(keys="").message_name("anna", DAY)
    with pytest.raises(LinkKeysError, match="at least 32 bytes"):
        links(keys="short")


def test_the_page_of_a_digest_is_named_by_its_date() -> None:
    assert links(view="https://example.org/d/{date}").digest_url(DAY) == "https://example.org/d/2026-03-01"
    assert links().digest_url(DAY) is None
