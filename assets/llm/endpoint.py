"""The OpenAI-compatible protocol: chat completions with a JSON schema, and the batch API.

It goes through the project's HTTP client, whose guards hold the address, the deadline, the size and the retries. The
package openai would bring a second HTTP stack without them, 31 MB, and half a second of imports.
"""

import json
import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from pydantic import BaseModel

from assets.config.llm import Llm
from assets.config.sources import HttpLimits
from assets.ingest import errors
from assets.ingest.http.client import HttpClient, Response
from assets.ingest.http.pacing import HostPacer
from assets.llm.errors import InvalidAnswerError, LlmDeniedError, LlmError
from features.llm.answers import json_schema
from features.llm.prompts import Prompt
from features.sources.values import NotJsonError, decode_json, items, mapping

KEY_VARIABLE = "JOBFEED_LLM_API_KEY"
COMPLETIONS = "/v1/chat/completions"
_MAX_ANSWER_BYTES = 1_000_000
_MAX_BATCH_BYTES = 200_000_000
_MAX_TOKENS = 100_000_000  # of one answer; a greater count is nonsense
_DENIED = (400, 401, 402, 403, 404, 405, 422)
_IDS = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.")


@dataclass(frozen=True)
class Completion:
    """What a model answered, and the tokens that the provider counted; None if it did not say."""

    content: str
    input_tokens: int | None
    output_tokens: int | None


@dataclass(frozen=True)
class BatchState:
    """A batch as the provider sees it; `is_over` if nothing more will come."""

    is_over: bool
    output_files: tuple[str, ...]


def body_of(settings: Llm, prompt: Prompt, answer: type[BaseModel], text: str) -> dict[str, Any]:
    """The body of one chat completion."""
    schema = {"name": prompt.name, "strict": True, "schema": json_schema(answer)}
    body: dict[str, Any] = {
        "model": settings.model,
        "messages": prompt.messages(text),
        "response_format": {"type": "json_schema", "json_schema": schema},
        settings.output_limit_parameter: settings.max_output_tokens,
    }
    return body if settings.temperature is None else {**body, "temperature": settings.temperature}


def read_completion(body: object) -> Completion:
    """The text of a chat completion. Raises InvalidAnswerError."""
    answer = mapping(body)
    usage = mapping(answer.get("usage"))
    spent = {
        "input_tokens": _count(usage.get("prompt_tokens")),
        "output_tokens": _count(usage.get("completion_tokens")),
    }
    choice = mapping(next(iter(items(answer.get("choices"))), None))
    message = mapping(choice.get("message"))
    content = message.get("content")
    if message.get("refusal"):
        raise InvalidAnswerError("refused", **spent)
    if choice.get("finish_reason") not in ("stop", None):
        raise InvalidAnswerError("cut_off" if choice["finish_reason"] == "length" else "not_finished", **spent)
    if not isinstance(content, str) or not content.strip():
        raise InvalidAnswerError("no_content", **spent)
    return Completion(content, **spent)


def _count(value: object) -> int | None:
    is_count = isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= _MAX_TOKENS
    return value if is_count else None  # type: ignore[return-value]


class Endpoint:
    """Requests to the provider that the settings name; thread-safe. Every failure is an LlmError."""

    def __init__(self, settings: Llm, *, key: str | None, client: HttpClient | None = None) -> None:
        self._base = str(settings.base_url).rstrip("/")
        self._headers = {"Authorization": f"Bearer {key}"} if key else {}
        self._client = client or HttpClient(_limits(settings, _MAX_ANSWER_BYTES), HostPacer(1e9))
        self._files = client or HttpClient(_limits(settings, _MAX_BATCH_BYTES), HostPacer(1e9))

    def complete(self, body: Mapping[str, Any]) -> Completion:
        """The answer to one chat completion. Raises LlmError."""
        response = self._post("/chat/completions", json.dumps(body).encode(), "application/json")
        return read_completion(self._json(response))

    def start_batch(self, lines: Sequence[Mapping[str, Any]], *, label: str) -> tuple[str, str]:
        """Uploads the requests and starts a batch that carries `label`; its id and the id of the uploaded file."""
        content = b"\n".join(json.dumps(line).encode() for line in lines)
        boundary = uuid.uuid4().hex
        head = (
            f'--{boundary}\r\nContent-Disposition: form-data; name="purpose"\r\n\r\nbatch\r\n'
            f'--{boundary}\r\nContent-Disposition: form-data; name="file"; filename="jobfeed.jsonl"\r\n'
            "Content-Type: application/jsonl\r\n\r\n"
        )
        body = head.encode() + content + f"\r\n--{boundary}--\r\n".encode()
        file_id = self._id(self._post("/files", body, f"multipart/form-data; boundary={boundary}"))
        request = {
            "input_file_id": file_id,
            "endpoint": COMPLETIONS,
            "completion_window": "24h",
            "metadata": {"jobfeed": label},
        }
        return self._id(self._post("/batches", json.dumps(request).encode(), "application/json")), file_id

    def find_batch(self, label: str) -> tuple[str, str] | None:
        """The ids of the batch that carries `label` and of its uploaded file, if it is among the newest hundred."""
        for each in items(mapping(self._json(self._get("/batches?limit=100"))).get("data")):
            batch = mapping(each)
            if mapping(batch.get("metadata")).get("jobfeed") == label:
                return _checked_id(batch.get("id")), _checked_id(batch.get("input_file_id"))
        return None

    def batch(self, batch_id: str) -> BatchState:
        """How far a batch is. Raises LlmError."""
        batch = mapping(self._json(self._get(f"/batches/{quote(batch_id)}")))
        files = tuple(_checked_id(batch[name]) for name in ("output_file_id", "error_file_id") if batch.get(name))
        return BatchState(batch.get("status") in ("completed", "failed", "expired", "cancelled"), files)

    def batch_answers(self, file_id: str) -> Iterator[tuple[str, int, object]]:
        """custom_id, status and body of each line of a batch's file; lines that make no sense are left out."""
        response = self._request("GET", f"/files/{quote(file_id)}/content", client=self._files)
        for line in response.body.splitlines():
            try:
                entry = mapping(decode_json(line))
            except NotJsonError:
                continue
            answer, key = mapping(entry.get("response")), entry.get("custom_id")
            if isinstance(key, str):
                yield key, _count(answer.get("status_code")) or 0, answer.get("body")

    def delete_file(self, file_id: str) -> None:
        """Deletes an uploaded or an answered file at the provider. Raises LlmError."""
        self._request("DELETE", f"/files/{quote(file_id)}")

    def _post(self, path: str, body: bytes, content_type: str) -> Response:
        client = self._files if path == "/files" else self._client
        return self._request("POST", path, client=client, body=body, content_type=content_type)

    def _get(self, path: str) -> Response:
        return self._request("GET", path)

    def _request(
        self,
        method: str,
        path: str,
        *,
        client: HttpClient | None = None,
        body: bytes | None = None,
        content_type: str | None = None,
    ) -> Response:
        headers = {**self._headers, **({"Content-Type": content_type} if content_type else {})}
        try:
            return (client or self._client).send(method, self._base + path, headers=headers, body=body)
        except errors.StatusError as error:
            kind = LlmDeniedError if error.status in _DENIED else LlmError
            raise kind(f"status_{error.status}") from None
        except errors.FetchError as error:
            raise LlmError(_REASONS.get(type(error), "unreachable")) from None

    def _json(self, response: Response) -> object:
        try:
            return decode_json(response.body)
        except NotJsonError:
            raise InvalidAnswerError("not_json") from None

    def _id(self, response: Response) -> str:
        return _checked_id(mapping(self._json(response)).get("id"))


_REASONS: Mapping[type[errors.FetchError], str] = {
    errors.DeadlineExceededError: "timeout",
    errors.BodyTooLargeError: "too_large",
    errors.ForbiddenAddressError: "forbidden_address",
    errors.RefusedRedirectError: "redirect",
}


def _checked_id(value: object) -> str:
    """An id that the provider gave: it becomes a part of addresses. Raises InvalidAnswerError."""
    if not isinstance(value, str) or not 0 < len(value) <= 200 or not _IDS.issuperset(value) or value.startswith("."):
        raise InvalidAnswerError("bad_id")
    return value


def _limits(settings: Llm, max_body_bytes: int) -> HttpLimits:
    """The host is one that the settings name, so it may be in the own network."""
    return HttpLimits(
        total_deadline_seconds=settings.timeout_seconds,
        max_attempts=settings.max_attempts,
        max_body_bytes=max_body_bytes,
        max_redirects=0,
        allowed_private_hosts=[(settings.base_url.host or "").strip("[]")],
    )
