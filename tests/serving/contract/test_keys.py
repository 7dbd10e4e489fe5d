from serving.contract.keys import DIGEST_PREFIX, FEED_PREFIX, TRENDING_PREFIX, is_hashed, lookup_key


def test_long_keys_are_hashed_below_the_limit_of_the_look_up_file() -> None:
    key = lookup_key(FEED_PREFIX, "я" * 512)
    assert len(key) < 511
    assert key != lookup_key(FEED_PREFIX, "я" * 511)
    assert is_hashed(key.decode().removeprefix("feed:"))
    assert not any(map(is_hashed, ["#1", "#anna", "anna", "#" + "A" * 64, "#" + "a" * 65]))


def test_slashes_in_an_id_do_not_separate_parts_of_a_key() -> None:
    assert lookup_key(TRENDING_PREFIX, "24h", "all") == b"trending:24h\nall"
    of_a_day = lookup_key(DIGEST_PREFIX, "anna", "2026-03-01")
    assert of_a_day != lookup_key(DIGEST_PREFIX, "anna/2026-03-01")
