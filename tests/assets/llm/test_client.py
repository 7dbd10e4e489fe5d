"""Questions to a language model: kept answers, budget, five at once, and every way in which a provider may fail."""

import datetime as dt
import json
import sqlite3
import threading
import time
from pathlib import Path

import pytest

from assets.config.llm import Llm
from assets.lake import Lake
from assets.llm.client import LlmClient, llm_client
from assets.llm.ledger import FILE
from assets.llm.questions import Question, Reply
from tests.assets.ingest.http.fault_server import Answer
from tests.assets.llm.model_server import NOW, Body, ModelServer, completion, text_of

GOOD = completion({"sentiment": "positive"})


def ask(client: LlmClient, *texts: str) -> list[Reply]:
    return client.ask("replies", [Question(text) for text in texts])


def reasons(client: LlmClient, *texts: str) -> list[str]:
    return [reply.reason for reply in ask(client, *texts)]


def sentiment(reply: Reply) -> object:
    return getattr(reply.answer, "sentiment", None)


def test_off_means_that_there_is_no_client(tmp_path: Path) -> None:
    assert llm_client(Llm(), Lake(tmp_path), environment={}, now=lambda: NOW) is None


def test_a_request_has_schema_model_limit_and_key_and_its_text_between_marks(
    model: ModelServer, tmp_path: Path
) -> None:
    ask(model.client(tmp_path, max_output_tokens=77), "Please come for an interview.")
    body = model.bodies[0]
    schema = body["response_format"]["json_schema"]
    assert (body["model"], body["max_completion_tokens"], body["temperature"]) == ("stand-in", 77, 0.0)
    assert (schema["strict"], schema["schema"]["additionalProperties"]) == (True, False)
    assert schema["schema"]["required"] == ["sentiment"]
    assert text_of(body) == "Please come for an interview."
    assert model.server.requests[0].headers["authorization"] == "Bearer secret-key"


def test_an_answer_is_asked_for_once_and_kept_over_runs(model: ModelServer, tmp_path: Path) -> None:
    first = ask(model.client(tmp_path), "one", "two", "one")
    again = ask(model.client(tmp_path), "two", "one")
    assert [sentiment(reply) for reply in (*first, *again)] == ["positive"] * 5
    assert sorted(text_of(body) for body in model.bodies) == ["one", "two"]


@pytest.mark.parametrize("changes", [{"model": "another"}, {"max_input_characters": 500}])
def test_another_model_or_text_is_another_question(
    model: ModelServer, tmp_path: Path, changes: dict[str, object]
) -> None:
    ask(model.client(tmp_path), "x" * 1_000)
    ask(model.client(tmp_path, **changes), "x" * 1_000)
    assert len(model.bodies) == 2


def test_the_answers_of_two_users_to_the_same_text_are_kept_apart(model: ModelServer, tmp_path: Path) -> None:
    client = model.client(tmp_path)
    client.ask("replies", [Question("same", "u1"), Question("same", "u2"), Question("same")])
    assert len(model.bodies) == 3
    assert "u1" not in json.dumps(model.bodies)
    assert client.ledger.forget_users(["u1"]) == 1
    client.ask("replies", [Question("same", "u1"), Question("same", "u2")])
    assert len(model.bodies) == 4


@pytest.mark.parametrize(
    ("answer", "reason", "is_final"),
    [
        (Answer(401), "status_401", False),
        (Answer(400, body=b'{"error": "schema"}'), "status_400", False),
        (Answer(429), "status_429", False),
        (Answer(500), "status_500", False),
        (Answer(302, headers={"Location": "http://127.0.0.1/elsewhere"}), "redirect", False),
        (Answer(resets=True), "unreachable", False),
        (Answer(body=b"x" * 300_000), "too_large", False),
        (Answer(body=b"<html>proxy</html>"), "not_json", True),
        (Answer(body=b"[]"), "no_content", True),
        (Answer(body=b'{"choices": "none"}'), "no_content", True),
        (Answer(body=completion("I think that it is positive.")), "bad_shape", True),
        (Answer(body=completion('```json\n{"sentiment": "positive"}\n```')), "bad_shape", True),
        (Answer(body=completion({"sentiment": "hired; drop table users"})), "bad_shape", True),
        (Answer(body=completion({"sentiment": "positive", "run": "rm -rf /"})), "bad_shape", True),
        (Answer(body=completion({"sentiment": ["positive"]})), "bad_shape", True),
        (Answer(body=completion("[" * 50_000)), "bad_shape", True),
        (Answer(body=completion({"sentiment": "positive"}, finish="length")), "cut_off", True),
        (Answer(body=completion({"sentiment": "positive"}, finish="content_filter")), "not_finished", True),
        (Answer(body=completion({"sentiment": "positive"}, refusal="I can't")), "refused", True),
    ],
)
def test_a_failure_is_a_reply_with_its_reason_and_never_an_error(
    model: ModelServer, tmp_path: Path, answer: Answer, reason: str, is_final: bool
) -> None:
    model.answer = lambda _: answer
    client = model.client(tmp_path)
    assert ask(client, "text") == [Reply(None, reason, is_final)]
    n_asked = len(model.bodies)
    assert reasons(client, "text") == [reason]
    assert (len(model.bodies) == n_asked) is is_final, "what the same question would give again is not asked again"
    calls = client.ledger.calls()
    assert set(calls["outcome"]) == {reason}
    assert "text" not in (tmp_path / FILE).read_bytes().decode("latin-1").replace(" text", "")


def test_a_provider_that_recovers_is_asked_again_within_the_attempts(model: ModelServer, tmp_path: Path) -> None:
    answers = iter([Answer(429, headers={"Retry-After": "2"}), Answer(500), Answer(body=GOOD)])
    model.answer = lambda _: next(answers)
    assert sentiment(ask(model.client(tmp_path, max_attempts=3), "text")[0]) == "positive"


def test_a_provider_that_does_not_answer_in_time_is_left(model: ModelServer, tmp_path: Path) -> None:
    model.answer = lambda _: Answer(body=GOOD, drip_seconds=0.05)
    client = model.client(tmp_path, limits={"total_deadline_seconds": 0.3})
    assert reasons(client, "text") == ["timeout"]


def test_a_refused_key_ends_the_run(model: ModelServer, tmp_path: Path) -> None:
    model.answer = lambda _: Answer(403)
    client = model.client(tmp_path, max_parallel=1)
    assert reasons(client, *"abcdef") == ["status_403", *["given_up"] * 5]
    assert len(model.bodies) == 1


def test_failures_in_a_row_end_the_run_and_a_success_between_does_not(model: ModelServer, tmp_path: Path) -> None:
    model.answer = lambda body: Answer(body=GOOD) if text_of(body) in "ce" else Answer(500)
    client = model.client(tmp_path, max_parallel=1, give_up_after=2, max_attempts=1)
    assert reasons(client, *"acbedgh") == ["status_500", "", "status_500", "", "status_500", "status_500", "given_up"]


def test_no_more_than_five_are_asked_at_once_over_all_clients(model: ModelServer, tmp_path: Path) -> None:
    everybody = threading.Barrier(6)

    def slow(_: Body) -> Answer:
        time.sleep(0.02)
        return Answer(body=GOOD)

    model.answer = slow

    def run(start: int) -> None:
        everybody.wait()
        ask(model.client(tmp_path), *(f"text {n}" for n in range(start, start + 8)))

    threads = [threading.Thread(target=run, args=(8 * n,)) for n in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(model.bodies) == 48
    assert 2 <= model.most_at_once <= 5


def test_the_budget_of_tokens_holds_over_runs_until_the_next_day(model: ModelServer, tmp_path: Path) -> None:
    # The answer counts 110 tokens; what is reserved is more by far.
    client = model.client(tmp_path, daily_tokens=3_000, max_output_tokens=100, max_parallel=1)
    got = reasons(client, *(f"text {n}" for n in range(30)))
    n_answered = got.count("")
    assert 0 < n_answered < 30
    assert set(got[n_answered:]) == {"budget"}
    spent = client.ledger.calls().select("input_tokens", "output_tokens").sum().row(0)
    assert sum(spent) == 110 * n_answered <= 3_000
    assert reasons(model.client(tmp_path, daily_tokens=3_000, max_output_tokens=100), "new") == ["budget"]
    tomorrow = model.client(tmp_path, now=lambda: NOW + dt.timedelta(days=1), daily_tokens=3_000, max_output_tokens=100)
    assert reasons(tomorrow, "new") == [""]


def test_the_budget_of_money_is_held_by_what_a_request_may_cost_at_most(model: ModelServer, tmp_path: Path) -> None:
    client = model.client(tmp_path, daily_usd=0.001, max_output_tokens=100)  # output alone: 100 * 10 / 1e6 = 0.001
    assert reasons(client, "text") == ["budget"]
    assert model.bodies == []


@pytest.mark.parametrize("usage", [{}, {"prompt_tokens": -5, "completion_tokens": 1}, {"prompt_tokens": "many"}, "x"])
def test_a_provider_that_does_not_count_costs_what_was_reserved(
    model: ModelServer, tmp_path: Path, usage: object
) -> None:
    model.answer = lambda _: Answer(body=completion({"sentiment": "neutral"}, usage=usage))
    client = model.client(tmp_path)
    ask(client, "text")
    call = client.ledger.calls().row(0, named=True)
    assert (call["input_tokens"], call["usd"]) == (None, None)
    assert call["reserved_tokens"] > 2_000


def test_a_request_whose_process_died_stays_spent(model: ModelServer, tmp_path: Path) -> None:
    class DiesError(BaseException):
        pass

    client = model.client(tmp_path, daily_tokens=4_000)

    def die(body: object) -> object:
        raise DiesError

    client.endpoint.complete = die  # type: ignore[method-assign, assignment]
    with pytest.raises(DiesError):
        ask(client, "text")
    assert client.ledger.calls()["outcome"].to_list() == ["open"]
    assert reasons(model.client(tmp_path, daily_tokens=4_000), "other") == ["budget"]


def test_the_owner_alone_may_read_the_ledger(model: ModelServer, tmp_path: Path) -> None:
    ask(model.client(tmp_path), "text")
    assert {oct(path.stat().st_mode & 0o777) for path in (tmp_path / FILE).parent.iterdir()} == {"0o600"}


def test_a_damaged_ledger_asks_nothing(model: ModelServer, tmp_path: Path) -> None:
    (tmp_path / FILE).parent.mkdir()
    (tmp_path / FILE).write_bytes(b"not a database" * 100)
    assert reasons(model.client(tmp_path), "text") == ["no_ledger"]
    assert model.bodies == []


def test_what_the_ledger_holds_is_checked_like_an_answer(model: ModelServer, tmp_path: Path) -> None:
    client = model.client(tmp_path)
    ask(client, "text")
    with sqlite3.connect(tmp_path / FILE) as db:
        db.execute('update answers set content = \'{"sentiment": "evil"}\'')
    db.close()
    assert reasons(client, "text") == ["bad_shape"]
