"""The batch API: questions of one run, answers of a later one."""

import datetime as dt
from pathlib import Path

import pytest

from assets.llm.client import LlmClient
from assets.llm.questions import Question
from tests.assets.ingest.http.fault_server import Answer
from tests.assets.llm.model_server import NOW, Body, ModelServer, completion

BATCH = {"batch": {"enabled": True}}
HOUR = dt.timedelta(hours=1)


def reasons(client: LlmClient, *texts: str) -> list[str]:
    return [reply.reason for reply in client.ask("replies", [Question(text) for text in texts])]


def test_a_later_run_collects_the_answers(model: ModelServer, tmp_path: Path) -> None:
    assert reasons(model.client(tmp_path, **BATCH), "a", "b") == ["pending", "pending"]
    assert reasons(model.client(tmp_path, **BATCH), "a", "b") == ["pending", "pending"]
    assert len(model.batches) == 1
    model.finish_batches()
    client = model.client(tmp_path, **BATCH)
    assert reasons(client, "a", "b") == ["", ""]
    assert model.bodies == [], "nothing was asked outside of the batch"
    calls = client.ledger.calls()
    assert calls["outcome"].to_list() == ["answered"] * 2
    assert calls["usd"].to_list() == [pytest.approx(0.5 * (100 * 1 + 10 * 10) / 1e6)] * 2
    assert model.files == {}, "the provider keeps neither questions nor answers"


def test_a_new_question_gets_a_batch_of_its_own(model: ModelServer, tmp_path: Path) -> None:
    reasons(model.client(tmp_path, **BATCH), "a")
    assert reasons(model.client(tmp_path, **BATCH), "a", "b") == ["pending", "pending"]
    assert [model.files[batch["input_file_id"]].count(b"custom_id") for batch in model.batches.values()] == [1, 1]


def test_the_budget_bounds_a_batch(model: ModelServer, tmp_path: Path) -> None:
    client = model.client(tmp_path, **BATCH, daily_tokens=5_000, max_output_tokens=100)
    got = reasons(client, *(f"text {n}" for n in range(20)))
    assert 0 < got.count("pending") < 20
    assert got == ["pending"] * got.count("pending") + ["budget"] * got.count("budget")


def test_an_answer_that_failed_or_is_missing_is_asked_again(model: ModelServer, tmp_path: Path) -> None:
    def lines(request: Body) -> list[Body]:
        number = request["body"]["messages"][1]["content"].splitlines()[1]
        if number == "missing":
            return []
        if number == "failed":
            return [{"custom_id": request["custom_id"], "response": {"status_code": 500, "body": {}}}]
        return [{"custom_id": "of nobody", "response": None}, {"custom_id": request["custom_id"], "response": "evil"}]

    texts = ("missing", "failed", "garbage")
    reasons(model.client(tmp_path, **BATCH), *texts)
    model.finish_batches(lines=lines)
    assert reasons(model.client(tmp_path, **BATCH), *texts) == ["pending"] * 3
    assert len(model.batches) == 2


def test_a_process_that_died_before_it_knew_the_batch_finds_it(model: ModelServer, tmp_path: Path) -> None:
    client = model.client(tmp_path, **BATCH)

    def forget(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    client.ledger.name_batch = forget  # type: ignore[method-assign]
    with pytest.raises(KeyboardInterrupt):
        reasons(client, "a")
    model.finish_batches()
    assert reasons(model.client(tmp_path, **BATCH), "a") == [""]
    assert len(model.batches) == 1


def test_a_batch_that_was_never_started_is_started_again(model: ModelServer, tmp_path: Path) -> None:
    model.server.route("/v1/files", Answer(503))
    assert reasons(model.client(tmp_path, **BATCH, max_attempts=1), "a") == ["status_503"]
    ModelServer(model.server)
    assert reasons(model.client(tmp_path, **BATCH), "a") == ["pending"]


def test_a_batch_that_takes_too_long_is_given_up(model: ModelServer, tmp_path: Path) -> None:
    reasons(model.client(tmp_path, **BATCH), "a")
    late = model.client(tmp_path, now=lambda: NOW + 49 * HOUR, **BATCH)
    assert reasons(late, "a") == ["pending"]
    assert len(model.batches) == 2
    assert late.ledger.calls()["outcome"].to_list() == ["too_late", "open"]


def test_ids_that_would_lead_elsewhere_are_refused(model: ModelServer, tmp_path: Path) -> None:
    for evil in ("../../admin", "a/b", "a?x=1", "", ".", 5, None, "a" * 500):
        model.server.route("/v1/files", Answer(body=f'{{"id": {evil!r}}}'.replace("'", '"').encode()))
        got = reasons(model.client(tmp_path / str(evil).replace("/", "-")[:20], **BATCH), "a")
        assert got in (["bad_id"], ["not_json"])


def test_an_answer_of_a_wrong_shape_is_final(model: ModelServer, tmp_path: Path) -> None:
    model.answer = lambda _: Answer(body=completion({"sentiment": "evil"}))
    reasons(model.client(tmp_path, **BATCH), "a")
    model.finish_batches()
    assert reasons(model.client(tmp_path, **BATCH), "a") == ["bad_shape"]
    assert len(model.batches) == 1
