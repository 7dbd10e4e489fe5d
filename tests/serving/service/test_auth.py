"""Tokens: who gets in, and that one user's token never opens another's data."""

import hashlib
import time
from pathlib import Path
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serving.service import tokens
from serving.service.app import Application
from serving.service.auth import (
    Authoriser,
    Caller,
    KnownToken,
    TokensError,
    is_loopback,
    load_authoriser,
    parse_keys,
    parse_tokens,
    sign_user_token,
)
from serving.service.rates import MOST_CALLERS, Limits, RateLimiter
from serving.service.routes import ROUTES, Access
from serving.service.store import Store
from tests.serving.client import call
from tests.serving.world import open_store, publish_full, serve

KEY, OTHER_KEY = b"k" * 32, b"o" * 32
NEVER = int(time.time()) + 10**6
SHOP = KnownToken(hashlib.sha256(b"secret").digest(), Caller("shop"))
ANNAS = KnownToken(hashlib.sha256(b"annas").digest(), Caller("kiosk", "anna"))


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    folder = tmp_path_factory.mktemp("published")
    publish_full(folder)
    return open_store(folder)


@pytest.fixture(scope="module")
def app(store: Store) -> Application:
    return serve(store, Authoriser((SHOP, ANNAS), (KEY, OTHER_KEY)))


def bearer(token: str) -> dict[str, str]:
    return {"authorization": f"Bearer {token}"}


def signed(user_id: str, *, key: bytes = KEY, expires_at: int = NEVER) -> str:
    return sign_user_token(key, user_id, application="shop", expires_at=expires_at)


@pytest.mark.parametrize("header", [None, "Bearer wrong", "Basic secret", "Bearer", "Bearer ", "secret", "Bearer a b"])
def test_without_a_known_token_the_answer_is_401_with_a_challenge(app: Application, header: str | None) -> None:
    reply = call(app, "/v1/generation", headers={"authorization": header} if header is not None else {})
    assert reply.status == 401
    assert reply.headers["content-type"] == "application/problem+json"
    assert reply.headers["www-authenticate"].startswith("Bearer")


def test_an_applications_token_opens_every_users_data(app: Application) -> None:
    for user in ("anna", "boris", "nobody"):
        assert call(app, f"/v1/users/{user}/feed", headers=bearer("secret")).status == 200
    assert call(app, "/v1/metrics/recommendations", headers={"authorization": "bearer secret"}).status == 200


@pytest.mark.parametrize("token", ["annas", signed("anna"), signed("anna", key=OTHER_KEY)])
def test_a_token_of_one_user_opens_that_users_and_shared_data(app: Application, token: str) -> None:
    assert call(app, "/v1/users/anna/feed", headers=bearer(token)).status == 200
    assert call(app, "/v1/jobs/hh:1", headers=bearer(token)).status == 200
    assert call(app, "/v1/users/boris/feed", headers=bearer(token)).status == 403
    assert call(app, "/v1/metrics/recommendations", headers=bearer(token)).status == 403


OTHERS = st.text(min_size=1, max_size=20) | st.sampled_from(["Anna", "anna ", " anna", "anna/", "anna%00", "%61nna2"])


@given(route=st.sampled_from([each for each in ROUTES if each.access is Access.USER]), other=OTHERS)
def test_a_token_of_one_user_never_opens_anothers_data(app: Application, other: str, route: object) -> None:
    if other == "anna":
        return
    path = route.template.replace("{user_id}", quote(other, safe=""))  # type: ignore[attr-defined]
    for token in ("annas", signed("anna")):
        assert call(app, path, headers=bearer(token)).status in (400, 403)


def test_an_escaped_name_is_the_same_user(app: Application) -> None:
    assert call(app, "/v1/users/%61nna/feed", headers=bearer("annas")).json["user_id"] == "anna"


def test_an_expired_foreign_or_unsigned_token_is_401(app: Application) -> None:
    assert "expired" in call(app, "/v1/generation", headers=bearer(signed("anna", expires_at=1))).json["detail"]
    assert call(app, "/v1/generation", headers=bearer(signed("anna", key=b"x" * 32))).status == 401
    head, claims, _ = signed("anna").split(".")
    assert call(app, "/v1/generation", headers=bearer(f"{head}.{claims}.")).status == 401
    unsigned = "eyJhbGciOiJub25lIn0"  # {"alg":"none"}
    assert call(app, "/v1/generation", headers=bearer(f"{unsigned}.{claims}.")).status == 401


def test_pages_about_the_service_need_no_token(app: Application) -> None:
    for path in ("/", "/healthz", "/readyz", "/metrics", "/openapi.json", "/docs"):
        assert call(app, path).status == 200


def test_a_caller_over_its_limit_learns_when_to_retry(store: Store) -> None:
    now = [0.0]
    limits = Limits(RateLimiter(1, lambda: now[0]), RateLimiter(0.5, lambda: now[0]))
    app = Application(store, authoriser=Authoriser((SHOP, ANNAS), ()), limits=limits)
    statuses = [call(app, "/v1/generation", headers=bearer("secret")).status for _ in range(3)]
    assert statuses == [200, 200, 429]
    limited = call(app, "/v1/generation", headers=bearer("secret"))
    assert limited.headers["retry-after"] == "2"
    assert limited.json["title"] == "Too Many Requests"
    assert call(app, "/v1/users/anna/feed", headers=bearer("annas")).status == 200, "each token has its own"
    now[0] = 1.0
    assert call(app, "/v1/generation", headers=bearer("secret")).status == 200


@given(st.lists(st.floats(0, 5), max_size=50))
def test_no_more_requests_than_burst_and_rate_allow_pass(pauses: list[float]) -> None:
    now, passed = [0.0], 0
    limiter = RateLimiter(3, lambda: now[0])
    for pause in pauses:
        now[0] += pause
        passed += limiter.seconds_to_wait("key") == 0
    assert passed <= 6 + 3 * now[0] + 1e-6


def test_the_limiter_forgets_the_least_recent_caller() -> None:
    limiter = RateLimiter(1, lambda: 0.0)
    for key in range(MOST_CALLERS + 10):
        limiter.seconds_to_wait(key)
    assert len(limiter._buckets) == MOST_CALLERS


def test_a_file_of_tokens_is_read() -> None:
    digest = hashlib.sha256(b"secret").hexdigest()
    text = f"# applications\nshop {digest}\n\nkiosk {digest} user=%D0%B0%2Fb  # one user\n"
    assert [known.caller for known in parse_tokens(text, where="tokens")] == [Caller("shop"), Caller("kiosk", "а/b")]


@pytest.mark.parametrize("line", ["shop", "shop abc", f"shop {'0' * 64} extra", f"shop {'0' * 64} user=", "a b c d"])
def test_a_wrong_line_is_refused_with_its_number(line: str) -> None:
    with pytest.raises(TokensError, match=r"tokens:2: expected"):
        parse_tokens(f"# first\n{line}\n", where="tokens")


def test_a_file_without_tokens_and_a_short_key_are_refused(tmp_path: Path) -> None:
    (tmp_path / "tokens").write_text("# nothing\n")
    with pytest.raises(TokensError, match="holds no token"):
        load_authoriser(tmp_path / "tokens", "")
    with pytest.raises(TokensError, match="at least 32 bytes"):
        parse_keys("short")


@pytest.mark.parametrize(
    ("host", "expected"),
    [("127.0.0.1", True), ("::1", True), ("localhost", True), ("0.0.0.0", False), ("example.org", False)],
)
def test_loopback_addresses_are_recognised(host: str, expected: bool) -> None:
    assert is_loopback(host) is expected


def test_new_tokens_open_the_service_and_are_kept_as_hashes(
    capsys: pytest.CaptureFixture[str], store: Store, tmp_path: Path
) -> None:
    assert tokens.main(["new", "shop"]) == 0
    everyone = capsys.readouterr()
    assert tokens.main(["new", "kiosk", "--user", "anna"]) == 0
    one = capsys.readouterr()
    lines = [printed.err.splitlines()[-1] for printed in (everyone, one)]
    (tmp_path / "tokens").write_text("\n".join(lines))
    assert everyone.out.strip() not in lines[0]
    app = serve(store, load_authoriser(tmp_path / "tokens", ""))
    assert call(app, "/v1/users/boris/feed", headers=bearer(everyone.out.strip())).status == 200
    assert call(app, "/v1/users/anna/feed", headers=bearer(one.out.strip())).status == 200
    assert call(app, "/v1/users/boris/feed", headers=bearer(one.out.strip())).status == 403


def test_signed_tokens_are_made_with_the_first_key(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, store: Store
) -> None:
    assert tokens.main(["sign", "anna", "--application", "shop"]) == 1
    assert "holds no key" in capsys.readouterr().err
    assert tokens.main(["key"]) == 0
    key = capsys.readouterr().out.strip()
    monkeypatch.setenv("JOBFEED_TOKEN_KEYS", f"{key} {'o' * 32}")
    assert tokens.main(["sign", "anna", "--application", "shop", "--hours", "2"]) == 0
    token = capsys.readouterr().out.strip()
    app = serve(store, load_authoriser(None, key))
    assert call(app, "/v1/users/anna/feed", headers=bearer(token)).status == 200
    assert call(app, "/v1/users/boris/feed", headers=bearer(token)).status == 403


@pytest.mark.parametrize(
    "arguments",
    [
        ["new", "two words"],
        ["sign", "anna", "--application", "shop", "--hours", "0"],
        ["sign", "", "--application", "shop"],
        ["sign", "anna", "--application", "two words"],
    ],
)
def test_a_token_that_cannot_be_made_is_refused(
    arguments: list[str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("JOBFEED_TOKEN_KEYS", "k" * 32)
    assert tokens.main(arguments) == 1
    printed = capsys.readouterr()
    assert printed.out == ""
    assert any(word in printed.err for word in ("is not a valid name", "--hours", "a user id has"))
