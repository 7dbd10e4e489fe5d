"""Asks GitHub's API about the public organisations of companies; what its answers mean is in features/sources."""

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from assets.config.sources import CompanySource
from assets.ingest import errors
from assets.ingest.companies.fetching import CompanyReading, CompanyRequest
from assets.ingest.http.client import HttpClient, Response
from assets.ingest.source_state import FeedState
from features.sources.companies.github import (
    MAX_PAGES,
    REPOSITORIES_PER_PAGE,
    GitHubAnswerError,
    Repositories,
    add_repositories,
    organisation_facts,
    parse_organisation,
)

TOKEN_VARIABLE = "GITHUB_TOKEN"  # noqa: S105  the variable's name
_ONCE_A_DAY_MINUTES = 24 * 60 - 60  # a daily run that starts earlier than the last one asks too
_PAGE = (("type", "public"), ("sort", "pushed"), ("per_page", str(REPOSITORIES_PER_PAGE)))
_HEADERS = {"Accept": "application/vnd.github+json", "X-GitHub-Api-Version": "2022-11-28"}


def github_requests(companies: Sequence[CompanySource], api: str) -> list[CompanyRequest]:
    """One request per enabled company with an organisation."""
    root = api.rstrip("/")
    return [
        CompanyRequest(f"github/{company.name}", company, f"{root}/orgs/{company.github}", _ONCE_A_DAY_MINUTES)
        for company in companies
        if company.enabled and company.github is not None
    ]


@dataclass(frozen=True)
class GitHubReader:
    """Reads an organisation and its repositories, the last pushed first, at most 1,000 of them.

    A token in `environment` raises GitHub's limit from 60 to 5,000 requests an hour.
    """

    client: HttpClient
    environment: Mapping[str, str] = field(repr=False)
    as_of: dt.datetime

    def __call__(self, request: CompanyRequest, state: FeedState) -> CompanyReading:
        """The facts of the company. Raises FetchError or GitHubAnswerError."""
        try:
            organisation = parse_organisation(self._get(request.url).body)
        except errors.NotFoundError:
            raise GitHubAnswerError("GitHub has no such organisation; check companies in sources.yaml") from None
        sums, n_pages = Repositories(), 0
        while n_pages < MAX_PAGES:
            n_pages += 1
            answer = self._get(f"{request.url}/repos", (*_PAGE, ("page", str(n_pages))))
            if add_repositories(sums, answer.body) < REPOSITORIES_PER_PAGE:
                break
        company = request.company
        facts = organisation_facts(
            organisation, sums, company=company.company, company_id=company.company_id, as_of=self.as_of
        )
        known = FeedState(address=state.address, read_at=self.as_of)
        return CompanyReading(request.name, "read", facts, state=known, n_fetched=1 + n_pages)

    def _get(self, url: str, parameters: Sequence[tuple[str, str]] = ()) -> Response:
        token = self.environment.get(TOKEN_VARIABLE)
        headers = {**_HEADERS, **({"Authorization": f"Bearer {token}"} if token else {})}
        return self.client.get(url, params=parameters, headers=headers)
