"""A small HeadHunter on loopback, with the true one's limits: rounding of dates, 2,000 results, errors, two shapes."""

import datetime as dt
import json
from dataclasses import dataclass, field
from typing import Any

from tests.assets.ingest.fault_server import Answer, FaultServer, Request

_FIVE = 300


@dataclass
class Vacancy:
    id: int
    published_at: dt.datetime
    area: str = "160"
    experience: str = "noExperience"
    name: str = "Clerk"
    archived: bool = False
    is_deleted: bool = False

    def item(self) -> dict[str, Any]:
        return {
            "id": str(self.id),
            "name": self.name,
            "area": {"id": self.area, "name": "Алматы"},
            "salary_range": {"from": 100, "to": None, "currency": "KZT", "gross": True, "mode": {"id": "MONTH"}},
            "published_at": self.published_at.strftime("%Y-%m-%dT%H:%M:%S+0000"),
            "archived": self.archived,
            "employer": {"id": "1", "name": "Acme"},
            "experience": {"id": self.experience},
            "snippet": {"requirement": "Reads", "responsibility": "Writes"},
        }

    def detail(self) -> dict[str, Any]:
        return {**self.item(), "description": f"<p>{self.name}</p>", "key_skills": [{"name": "Excel"}]}


@dataclass
class HHServer:
    """Serves `vacancies` under /hh on a FaultServer; `tree` maps an area to its children."""

    server: FaultServer
    vacancies: dict[int, Vacancy] = field(default_factory=dict)
    tree: dict[str, list[str]] = field(default_factory=lambda: {"40": ["160", "159"], "160": [], "159": []})
    token: str | None = None
    max_results: int = 2000
    fault: Answer | None = None

    def __post_init__(self) -> None:
        self.server.route("/hh/*", self._answer)

    @property
    def url(self) -> str:
        return f"{self.server.url}/hh"

    def add(self, *vacancies: Vacancy) -> None:
        self.vacancies.update({vacancy.id: vacancy for vacancy in vacancies})

    def n_searches(self) -> int:
        return self.server.count("/hh/vacancies")

    def detailed(self) -> list[str]:
        prefix = "/hh/vacancies/"
        return [r.path.removeprefix(prefix) for r in self.server.requests if r.path.startswith(prefix)]

    def _answer(self, request: Request) -> Answer:
        if self.fault is not None:
            return self.fault
        if "user-agent" not in request.headers:
            return _error(400, "bad_user_agent", "unset")
        if self.token is not None and request.headers.get("authorization") != f"Bearer {self.token}":
            return _error(403, "oauth", "bad_authorization")
        path = request.path.removeprefix("/hh")
        if path == "/areas":
            return _json([self._node("40")])
        if path == "/vacancies":
            return self._search(request)
        vacancy = self.vacancies.get(int(path.rsplit("/", 1)[1]))
        return _error(404, "not_found", None) if vacancy is None or vacancy.is_deleted else _json(vacancy.detail())

    def _node(self, area: str) -> dict[str, Any]:
        return {"id": area, "parent_id": None, "name": area, "areas": [self._node(child) for child in self.tree[area]]}

    def _search(self, request: Request) -> Answer:
        page, per_page = int(request.values("page")[0]), int((request.values("per_page") or ["10"])[0])
        if per_page > 100 or (page + 1) * per_page > self.max_results:
            return _error(400, "bad_argument", "page, per_page")
        since, until = (_rounded(request.values(name)[0]) for name in ("date_from", "date_to"))
        areas = {below for area in request.values("area") for below in self._below(area)}
        experiences = request.values("experience")
        found = sorted(
            (
                v
                for v in self.vacancies.values()
                if not v.archived
                and not v.is_deleted
                and since <= v.published_at <= until
                and (not areas or v.area in areas)
                and (not experiences or v.experience in experiences)
            ),
            key=lambda v: (v.published_at, v.id),
            reverse=True,
        )
        shown = found[: self.max_results]
        items = [v.item() for v in shown[page * per_page : (page + 1) * per_page]]
        pages = -(-len(shown) // per_page)
        return _json({"items": items, "found": len(found), "pages": pages, "page": page, "per_page": per_page})

    def _below(self, area: str) -> list[str]:
        return [area, *(below for child in self.tree.get(area, []) for below in self._below(child))]


def _rounded(text: str) -> dt.datetime:
    at = dt.datetime.fromisoformat(text)
    return dt.datetime.fromtimestamp(round(at.timestamp() / _FIVE) * _FIVE, dt.UTC)


def _json(value: object) -> Answer:
    return Answer(body=json.dumps(value).encode(), headers={"Content-Type": "application/json"})


def _error(status: int, kind: str, value: str | None) -> Answer:
    body = {"request_id": "1", "errors": [{"type": kind, **({"value": value} if value else {})}], "description": kind}
    return Answer(status, json.dumps(body).encode())
