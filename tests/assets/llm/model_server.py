"""A stand-in for a provider of language models: it speaks the protocol on loopback and answers as a test wants."""

import datetime as dt
import json
import re
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from assets.config.llm import Llm
from assets.config.sources import HttpLimits
from assets.ingest.http.client import HttpClient
from assets.ingest.http.pacing import HostPacer
from assets.llm.client import LlmClient
from assets.llm.endpoint import Endpoint
from assets.llm.ledger import Ledger
from tests.assets.ingest.http.fault_server import Answer, FakeTime, FaultServer, Request

NOW = dt.datetime(2026, 3, 1, 12, tzinfo=dt.UTC)
Body = dict[str, Any]


def completion(content: object, *, finish: str = "stop", usage: object = None, **message: object) -> bytes:
    """The body of a chat completion whose message is `content`, as JSON unless it is a text."""
    text = content if isinstance(content, str) else json.dumps(content)
    spent = {"prompt_tokens": 100, "completion_tokens": 10} if usage is None else usage
    choice = {"index": 0, "finish_reason": finish, "message": {"role": "assistant", "content": text, **message}}
    return json.dumps({"id": "c1", "object": "chat.completion", "choices": [choice], "usage": spent}).encode()


def text_of(body: Body) -> str:
    """The text between the marks of a request."""
    found = re.fullmatch(r"<<<(\w+)\n(.*)\n\1>>>", body["messages"][1]["content"], flags=re.DOTALL)
    assert found is not None
    return found[2]


class ModelServer:
    """Completions by `answer`; batches are answered when `finish_batches` is called."""

    def __init__(self, server: FaultServer) -> None:
        self.server = server
        self.answer: Callable[[Body], Answer] = lambda _: Answer(body=completion({"sentiment": "positive"}))
        self.bodies: list[Body] = []
        self.most_at_once = 0
        self.files: dict[str, bytes] = {}
        self.batches: dict[str, Body] = {}
        self._at_once = 0
        self._lock = threading.Lock()
        server.route("/v1/chat/completions", self._complete)
        server.route("/v1/files", self._upload)
        server.route("/v1/files/*", self._file)
        server.route("/v1/batches", self._start)
        server.route("/v1/batches/*", self._batch)

    def settings(self, **changes: object) -> Llm:
        stated = {
            "enabled": True, "base_url": f"{self.server.url}/v1", "model": "stand-in", "give_up_after": 1_000,
            "usd_per_million_input_tokens": 1, "usd_per_million_output_tokens": 10, "daily_usd": 100, **changes,
        }  # fmt: skip
        return Llm.model_validate(stated)

    def client(
        self, root: Path, *, now: Callable[[], dt.datetime] = lambda: NOW, limits: Body | None = None, **changes: object
    ) -> LlmClient:
        """A client whose retries do not wait."""
        settings, time = self.settings(**changes), FakeTime()
        stated = {
            "allowed_private_hosts": ["127.0.0.1"], "max_attempts": settings.max_attempts, "max_body_bytes": 200_000,
            **(limits or {}),
        }  # fmt: skip
        # Pauses only move `time`; the deadline of an exchange is one of the real clock.
        http = HttpClient(HttpLimits.model_validate(stated), HostPacer(1e9), sleep=time.sleep, jitter=lambda: 0.5)
        endpoint = Endpoint(settings, key="secret-key", client=http)
        return LlmClient(settings, endpoint, Ledger(root), root / ".locks", now)

    def finish_batches(self, *, status: str = "completed", lines: Callable[[Body], list[Body]] | None = None) -> None:
        """Answers all batches that were started, by `lines` of each request or like single requests."""
        for number, batch in enumerate(self.batches.values()):
            requests = [json.loads(line) for line in self.files[batch["input_file_id"]].splitlines()]
            answered = [line for request in requests for line in (lines or self._line)(request)]
            batch["status"], batch["output_file_id"] = status, f"file-out{number}"
            self.files[f"file-out{number}"] = b"\n".join(json.dumps(line).encode() for line in answered)

    def _line(self, request: Body) -> list[Body]:
        answer = self.answer(request["body"])
        response = {"status_code": answer.status, "body": json.loads(answer.body)}
        return [{"custom_id": request["custom_id"], "response": response}]

    def _complete(self, request: Request) -> Answer:
        body = json.loads(request.body)
        with self._lock:
            self.bodies.append(body)
            self._at_once += 1
            self.most_at_once = max(self.most_at_once, self._at_once)
        try:
            return self.answer(body)
        finally:
            with self._lock:
                self._at_once -= 1

    def _upload(self, request: Request) -> Answer:
        boundary = request.headers["content-type"].partition("boundary=")[2].encode()
        parts = request.body.split(b"--" + boundary)
        assert b'name="purpose"\r\n\r\nbatch\r\n' in parts[1]
        name = f"file-in{len(self.files)}"
        self.files[name] = parts[2].partition(b"\r\n\r\n")[2].removesuffix(b"\r\n")
        return Answer(body=json.dumps({"id": name}).encode())

    def _file(self, request: Request) -> Answer:
        name = request.path.split("/")[3]
        if request.method == "DELETE":
            return Answer(body=json.dumps({"deleted": self.files.pop(name, None) is not None}).encode())
        return Answer(body=self.files[name])

    def _start(self, request: Request) -> Answer:
        if request.method == "GET":
            return Answer(body=json.dumps({"data": list(self.batches.values())}).encode())
        batch = {**json.loads(request.body), "id": f"batch_{len(self.batches)}", "status": "in_progress"}
        assert batch["endpoint"] == "/v1/chat/completions"
        self.batches[batch["id"]] = batch
        return Answer(body=json.dumps(batch).encode())

    def _batch(self, request: Request) -> Answer:
        batch = self.batches.get(request.path.split("/")[3])
        return Answer(404) if batch is None else Answer(body=json.dumps(batch).encode())
