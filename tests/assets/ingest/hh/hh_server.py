"""A small HeadHunter on loopback, with the true one's limits: 2,000 results, dates rounded to five minutes, pages that
shift, dictionaries with ETags, two response shapes; and the faults that the true one is known for."""

import datetime as dt
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from tests.assets.ingest.http.fault_server import Answer, FaultServer, Request

_FIVE = 300


@dataclass
class Vacancy:
    id: int
    published_at: dt.datetime
    area: str = "160"
    experience: str | None = "noExperience"
    role: str | None = "96"
    name: str = "Clerk"
    archived: bool = False
    is_deleted: bool = False
    salary_to: int | None = None

    def item(self) -> dict[str, Any]:
        return {
            "id": str(self.id),
            "name": self.name,
            "area": {"id": self.area, "name": "Алматы"},
            "salary_range": {
                "from": 100, "to": self.salary_to, "currency": "KZT", "gross": True, "mode": {"id": "MONTH"},
            },
            "published_at": self.published_at.strftime("%Y-%m-%dT%H:%M:%S+0000"),
            "archived": self.archived,
            "employer": {"id": "1", "name": "Acme"},
            "experience": {"id": self.experience} if self.experience else None,
            "professional_roles": [{"id": self.role, "name": self.role}] if self.role else [],
            "snippet": {"requirement": "Reads", "responsibility": "Writes"},
        }  # fmt: skip

    def detail(self) -> dict[str, Any]:
        return {**self.item(), "description": f"<p>{self.name}</p>", "key_skills": [{"name": "Excel"}]}


def json_answer(value: object, status: int = 200, **headers: str) -> Answer:
    return Answer(status, json.dumps(value).encode(), {"Content-Type": "application/json", **headers})


def error_answer(status: int, *errors: tuple[str, str | None], **more: object) -> Answer:
    listed = [{"type": kind, **({"value": value} if value else {})} for kind, value in errors]
    return json_answer({"request_id": "1", "errors": listed, "description": "Something", **more}, status)


def _html(status: int, text: str) -> Answer:
    return Answer(status, f"<html><body>{text}</body></html>".encode(), {"Content-Type": "text/html"})


# What HH, or what stands in front of it, answers instead of what it should.
FAULTS: dict[str, Answer] = {
    "forbidden": error_answer(403, ("forbidden", None)),
    "captcha": error_answer(403, ("captcha_required", "captcha_required")),
    "token revoked": error_answer(403, ("oauth", "token_revoked"), oauth_error="token-revoked"),
    "unauthorised": error_answer(401, ("oauth", "bad_authorization")),
    "ddos-guard": Answer(403, b"<html>ddos-guard</html>", {"Server": "ddos-guard"}),
    "too many requests": Answer(429),
    "too many requests, come later": error_answer(429, ("too_many_requests", None)),
    "bad user agent": error_answer(400, ("bad_user_agent", "blacklisted")),
    "bad argument": error_answer(400, ("bad_argument", "area"), bad_argument="area"),
    "legacy bad argument": json_answer({"bad_argument": "area", "description": "bad"}, 400),
    "server error": _html(500, "oops"),
    "bad gateway": _html(502, "nginx"),
    "unavailable": error_answer(503, ("service_unavailable", None)),
    "not found in HTML": _html(404, "nothing here"),
    "truncated JSON": Answer(200, b'{"items": [{"id": "1", "na', {"Content-Type": "application/json"}),
    "body cut off": Answer(200, b'{"items": [', {"Content-Type": "application/json"}, length=5000),
    "HTML for JSON": _html(200, "Please turn on JavaScript"),
    "empty body": Answer(200, b""),
    "a list for an object": Answer(200, b"[1, 2, 3]"),
    "nested without end": Answer(200, b'{"items": ' + b"[" * 100_000),
    "too large": Answer(200, b'{"items": [' + b" " * 200_000 + b"]}"),
    "not encoded as said": Answer(200, b'{"items": []}', {"Content-Encoding": "gzip"}),
    "redirect to nowhere": Answer(302),
    "redirect inwards": Answer(302, headers={"Location": "http://169.254.169.254/latest"}),
    "no HTTP at all": Answer(raw=b"SSH-2.0-OpenSSH_9.2\r\n\r\n"),
}
# Those after which HH is not asked again in the run.
DISABLING = (
    "forbidden", "captcha", "token revoked", "unauthorised", "ddos-guard", "too many requests",
    "too many requests, come later", "bad user agent",
)  # fmt: skip


@dataclass
class HHServer:
    """Serves `vacancies` under /hh on a FaultServer; `tree` maps an area to its children.

    `fault` is the answer to everything, `faults` to single paths such as /vacancies/3. `before_page` is called before a
    search page is made, to let vacancies come and go meanwhile; `n_not_delivered`: how many more are found than shown.
    """

    server: FaultServer
    vacancies: dict[int, Vacancy] = field(default_factory=dict)
    tree: dict[str, list[str]] = field(default_factory=lambda: {"40": ["160", "159"], "160": [], "159": []})
    roles: tuple[str, ...] = ("96", "10", "156")
    token: str | None = None
    max_results: int = 2000
    fault: Answer | None = None
    faults: dict[str, Answer] = field(default_factory=dict)
    before_page: Callable[["HHServer", int], None] = lambda _server, _page: None
    n_not_delivered: int = 0
    rates: dict[str, float] = field(default_factory=lambda: {"RUR": 1, "USD": 0.01, "KZT": 5.0})
    etag: str = '"1"'
    most_at_once: int = 0
    _at_once: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def __post_init__(self) -> None:
        self.server.route("/hh/*", self._answer)

    @property
    def url(self) -> str:
        return f"{self.server.url}/hh"

    def add(self, *vacancies: Vacancy) -> None:
        self.vacancies.update({vacancy.id: vacancy for vacancy in vacancies})

    def searches(self) -> list[Request]:
        return [request for request in self.server.requests if request.path == "/hh/vacancies"]

    def n_searches(self) -> int:
        return len(self.searches())

    def detailed(self) -> list[str]:
        prefix = "/hh/vacancies/"
        return [r.path.removeprefix(prefix) for r in self.server.requests if r.path.startswith(prefix)]

    def asked_for(self, path: str) -> list[Request]:
        return [request for request in self.server.requests if request.path == f"/hh{path}"]

    @contextmanager
    def _counted(self) -> Iterator[None]:
        with self._lock:
            self._at_once += 1
            self.most_at_once = max(self.most_at_once, self._at_once)
        try:
            yield
        finally:
            with self._lock:
                self._at_once -= 1

    def _answer(self, request: Request) -> Answer:
        with self._counted():
            path = request.path.removeprefix("/hh")
            if self.fault is not None:
                return self.fault
            if path in self.faults:
                return self.faults[path]
            if "user-agent" not in request.headers:
                return error_answer(400, ("bad_user_agent", "unset"))
            if self.token is not None and request.headers.get("authorization") != f"Bearer {self.token}":
                return error_answer(403, ("oauth", "bad_authorization"))
            if path in ("/areas", "/professional_roles", "/dictionaries"):
                return self._dictionary(path, request)
            if path == "/vacancies":
                return self._search(request)
            vacancy = self.vacancies.get(int(path.rsplit("/", 1)[1]))
            if vacancy is None or vacancy.is_deleted:
                return error_answer(404, ("not_found", None))
            return json_answer(vacancy.detail())

    def _dictionary(self, path: str, request: Request) -> Answer:
        headers = {"ETag": self.etag, "Cache-Control": "max-age=1200"}
        if request.headers.get("if-none-match") == self.etag:
            return Answer(304, headers=headers)
        if path == "/areas":
            inner = {child for children in self.tree.values() for child in children}
            return json_answer([self._node(area) for area in self.tree if area not in inner], **headers)
        if path == "/professional_roles":
            roles = [{"id": role, "name": f"Role {role}", "search_deprecated": False} for role in self.roles]
            return json_answer({"categories": [{"id": "11", "name": "IT", "roles": roles}]}, **headers)
        return json_answer({"currency": [{"code": code, "rate": rate} for code, rate in self.rates.items()]}, **headers)

    def _node(self, area: str) -> dict[str, Any]:
        below = [self._node(child) for child in self.tree.get(area, [])]
        return {"id": area, "parent_id": None, "name": f"Area {area}", "lat": 43.0, "lng": 77.0, "areas": below}

    def _search(self, request: Request) -> Answer:
        page, per_page = int((request.values("page") or ["0"])[0]), int((request.values("per_page") or ["10"])[0])
        if per_page > 100 or (page + 1) * per_page > self.max_results:
            error = error_answer(400, ("bad_argument", "page"), ("bad_argument", "per_page"))
            return Answer(400, error.body.replace(b"Something", b"you can't look up more than 2000 items in the list"))
        with self._lock:
            self.before_page(self, page)
            found = self._found(request)
        shown = found[: self.max_results]
        items = [v.item() for v in shown[page * per_page : (page + 1) * per_page]]
        pages = -(-len(shown) // per_page)
        n_found = len(found) + self.n_not_delivered
        return json_answer({"items": items, "found": n_found, "pages": pages, "page": page, "per_page": per_page})

    def _found(self, request: Request) -> list[Vacancy]:
        since, until = (_rounded(request.values(name)[0]) for name in ("date_from", "date_to"))
        areas = {below for area in request.values("area") for below in self._below(area)}
        experiences, roles = request.values("experience"), request.values("professional_role")
        return sorted(
            (
                v
                for v in self.vacancies.values()
                if since <= v.published_at <= until
                and not v.archived
                and not v.is_deleted
                and (not areas or v.area in areas)
                and (not experiences or v.experience in experiences)
                and (not roles or v.role in roles)
            ),
            key=lambda v: (v.published_at, v.id),
            reverse=True,
        )

    def _below(self, area: str) -> list[str]:
        return [area, *(below for child in self.tree.get(area, []) for below in self._below(child))]


def _rounded(text: str) -> dt.datetime:
    at = dt.datetime.fromisoformat(text)
    return dt.datetime.fromtimestamp(round(at.timestamp() / _FIVE) * _FIVE, dt.UTC)
