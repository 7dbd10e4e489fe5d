"""The handlers of the endpoints about companies."""

import msgspec

from serving.contract import keys
from serving.service import company_responses as responses
from serving.service.problems import ProblemError
from serving.service.requests import Answer, Request, answer
from serving.service.view import View

_ENTRIES = msgspec.json.Decoder(list[responses.CompanyEntry])
_PROFILE = msgspec.json.Decoder(responses.CompanyProfile)


def companies(view: View, request: Request) -> Answer:
    """The companies with most open postings, at most 1,000 of them."""
    stored = view.reader().get(keys.DOCUMENT_PREFIX, "companies")
    found = _ENTRIES.decode(stored) if stored is not None else []
    return answer(responses.Companies(view.name, found[: request.values["limit"]]))


def company(view: View, request: Request) -> Answer:
    """What is known of a company: from its postings, and from files that landed."""
    return Answer(_company(view, request.identifier))


def compare(view: View, request: Request) -> Answer:
    """The profiles of two companies, and where they differ: skills and roles of one alone, and of both."""
    first, second = (_PROFILE.decode(_company(view, id_)) for id_ in (request.identifier, request.values["other_id"]))
    return answer(
        responses.CompanyComparison(
            view.name,
            [first, second],
            roles=_common({each.value for each in first.roles}, {each.value for each in second.roles}),
            skills=_common({each.skill for each in first.skills}, {each.skill for each in second.skills}),
        )
    )


def _common(first: set[str], second: set[str]) -> responses.Common:
    return responses.Common(sorted(first & second), sorted(first - second), sorted(second - first))


def _company(view: View, company_id: str) -> bytes:
    found = view.reader().get(keys.COMPANY_PREFIX, company_id)
    if found is None:
        raise ProblemError(404, "no such company in this generation", company_id=company_id)
    return found
