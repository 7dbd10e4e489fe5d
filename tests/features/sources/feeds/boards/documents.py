"""A document of each board in its true shape, made up, and all that is stated in it."""

from datetime import UTC, datetime

PERSONIO = """<?xml version="1.0" encoding="UTF-8"?>
<workzag-jobs>
<position>
  <id>77</id>
  <subcompany>Nordlicht GmbH</subcompany>
  <office>Riga</office>
  <additionalOffices><office>Oslo</office><office>Remote</office></additionalOffices>
  <department>Kitchen</department>
  <recruitingCategory>Food &amp; Drink</recruitingCategory>
  <name>Head Cook (m/w/d)</name>
  <jobDescriptions>
    <jobDescription><name>Tasks</name><value><![CDATA[<p>Cook & serve.</p>]]></value></jobDescription>
    <jobDescription><name>You</name><value><ul><li>Knives</li></ul></value></jobDescription>
  </jobDescriptions>
  <employmentType>permanent</employmentType>
  <seniority>experienced</seniority>
  <schedule>part-time</schedule>
  <yearsOfExperience>2-5</yearsOfExperience>
  <keywords>grill, soup</keywords>
  <salaryInformation><currencyCode>EUR</currencyCode><type>yearly</type><min>40000</min><max>50000</max></salaryInformation>
  <workplaceType>hybrid</workplaceType>
  <createdAt>2026-01-05T08:00:00+01:00</createdAt>
</position>
</workzag-jobs>"""

INDEED = """<?xml version="1.0" encoding="utf-8"?>
<source>
<publisher>Some ATS</publisher>
<publisherurl>https://ats.example</publisherurl>
<lastBuildDate>Mon, 05 Jan 2026 08:00:00 GMT</lastBuildDate>
<job>
  <title><![CDATA[Cook & Baker]]></title>
  <date><![CDATA[Mon, 05 Jan 2026 08:00:00 GMT]]></date>
  <referencenumber><![CDATA[ref-1]]></referencenumber>
  <requisitionid><![CDATA[req-9]]></requisitionid>
  <url><![CDATA[https://ats.example/jobs/1?a=1&b=2]]></url>
  <company><![CDATA[Diner Inc]]></company>
  <city><![CDATA[Toledo]]></city><state><![CDATA[OH]]></state><country><![CDATA[US]]></country>
  <postalcode><![CDATA[43604]]></postalcode>
  <description><![CDATA[<p>Cook.</p>]]></description>
  <salary><![CDATA[$20 - $25 per hour]]></salary>
  <jobtype><![CDATA[parttime]]></jobtype>
  <category><![CDATA[Food,Kitchen]]></category>
  <experience><![CDATA[2+ years]]></experience>
  <expirationdate><![CDATA[2026-02-05T00:00:00Z]]></expirationdate>
  <remotetype>Hybrid remote</remotetype>
</job>
</source>"""

RECRUITEE = {
    "offers": [
        {
            "id": 5,
            "slug": "cook",
            "title": "Cook",
            "status": "published",
            "company_name": "Diner",
            "highlight": "<p>Short.</p>",
            "description": "<p>Long.</p>",
            "requirements": "<ul><li>Knives</li></ul>",
            "location": "Remote job",
            "city": "Riga",
            "country": "Latvia",
            "country_code": "LV",
            "locations": [
                {"id": 1, "city": "Riga", "state": "Riga", "country": "Latvia"},
                {"id": 2, "city": "Oslo", "state": None, "country": "Norway"},
            ],
            "remote": False,
            "hybrid": True,
            "on_site": False,
            "employment_type_code": "parttime_fixed_term",
            "experience_code": "mid_level",
            "department": "Kitchen",
            "tags": ["soup"],
            "salary": {"min": "2000", "max": "2500.50", "period": "month", "currency": "EUR"},
            "careers_url": "https://jobs.diner.example/o/cook",
            "careers_apply_url": "https://jobs.diner.example/o/cook/c/new",
            "created_at": "2026-01-04 08:00:00 UTC",
            "published_at": "2026-01-05 08:00:00 UTC",
            "close_at": "2026-02-05T00:00:00Z",
        }
    ]
}

TEAMTAILOR_FEED = {
    "version": "https://jsonfeed.org/version/1.1",
    "title": "Diner",
    "next_url": "https://career.diner.example/jobs.json?page=2",
    "items": [
        {
            "id": "0f-1",
            "title": "Cook",
            "url": "https://career.diner.example/jobs/5-cook",
            "date_published": "2026-01-05T09:00:00+01:00",
            "content_html": "<p>Cook.</p>",
            "_jobposting": {
                "@context": "http://schema.org/",
                "@type": "JobPosting",
                "title": "Cook",
                "employmentType": "FULL_TIME",
                "identifier": {"@type": "PropertyValue", "name": "Diner", "value": 5},
                "hiringOrganization": {"@type": "Organization", "name": "Diner AB"},
                "jobLocation": [
                    {
                        "@type": "Place",
                        "address": {"addressLocality": "Riga", "addressRegion": "Baltics", "addressCountry": "LV"},
                    },
                    {
                        "@type": "Place",
                        "address": {"addressLocality": "Oslo", "addressRegion": "Europe", "addressCountry": "NO"},
                    },
                ],
            },
        }
    ],
}

TEAMTAILOR_API = {
    "data": [
        {
            "id": "5",
            "type": "jobs",
            "links": {"careersite-job-url": "https://career.diner.example/jobs/5-cook"},
            "attributes": {
                "title": "Cook",
                "pitch": "Join us",
                "body": "<p>Cook.</p>",
                "remote-status": "fully",
                "tags": ["soup"],
                "employment-type": "fulltime",
                "employment-level": "senior",
                "min-salary": 30000,
                "max-salary": 36000,
                "currency": "SEK",
                "salary-time-unit": "monthly",
                "created-at": "2026-01-05T08:00:00Z",
                "end-date": "2026-02-05T00:00:00Z",
                "language-code": "en",
                "human-status": "published",
            },
            "relationships": {
                "department": {"data": {"type": "departments", "id": "1"}},
                "locations": {"data": [{"type": "locations", "id": "7"}, {"type": "locations", "id": "8"}]},
            },
        }
    ],
    "included": [
        {"id": "1", "type": "departments", "attributes": {"name": "Kitchen"}},
        {"id": "7", "type": "locations", "attributes": {"city": "Riga", "country": "Latvia"}},
        {"id": "8", "type": "locations", "attributes": {"name": "Oslo office"}},
    ],
    "links": {"next": "https://api.teamtailor.com/v1/jobs?page%5Bnumber%5D=2"},
}

WORKABLE = {
    "name": "Diner",
    "description": "We cook.",
    "jobs": [
        {
            "title": "Cook",
            "shortcode": "A1B2",
            "code": "",
            "employment_type": "Part-time",
            "telecommuting": False,
            "department": "Kitchen",
            "url": "https://apply.workable.com/j/A1B2",
            "shortlink": "https://apply.workable.com/j/A1B2",
            "published_on": "2026-01-05",
            "created_at": "2026-01-04",
            "country": country,
            "city": city,
            "state": "",
            "experience": "Mid-Senior level",
            "function": "Food",
            "industry": "",
            "locations": [{"country": country, "countryCode": "XX", "city": city, "region": None, "hidden": False}],
            "description": "<p>Cook.</p>",
        }
        for city, country in (("Riga", "Latvia"), ("Oslo", "Norway"))
    ],
}

BREEZY = [
    {
        "id": "3f2a",
        "friendly_id": "3f2a-cook",
        "name": "Cook",
        "url": "https://diner.breezy.hr/p/3f2a-cook",
        "published_date": "2026-01-05T08:00:00.000Z",
        "type": {"id": "partTime", "name": "Part-Time"},
        "location": {
            "country": {"name": "Latvia", "id": "LV"},
            "state": None,
            "city": "Riga",
            "is_remote": True,
            "name": "Riga, LV",
            "remote_details": {"value": "hybrid", "label": "Hybrid"},
        },
        "department": "Kitchen",
        "salary": "€2,000 - €2,500 / month",
        "company": {"name": "Diner", "friendly_id": "diner"},
    }
]

ARBEITNOW = {
    "data": [
        {
            "slug": "cook-berlin-1",
            "company_name": "Diner",
            "title": "Cook",
            "description": "<p>Cook.</p>",
            "remote": True,
            "url": "https://www.arbeitnow.com/jobs/cook-berlin-1",
            "tags": ["Food"],
            "job_types": ["Full-time permanent"],
            "location": "Berlin",
            "created_at": 1767600000,
        }
    ],
    "links": {"next": "https://www.arbeitnow.com/api/job-board-api?page=2", "prev": None},
    "meta": {"current_page": 1},
}

ADZUNA = {
    "count": 120,
    "mean": 31000.5,
    "__CLASS__": "Adzuna::API::Response::JobSearchResults",
    "results": [
        {
            "id": "4400",
            "title": "<strong>Cook</strong>",
            "description": "Cook for …",
            "created": "2026-01-05T08:00:00Z",
            "redirect_url": "https://www.adzuna.co.uk/jobs/land/ad/4400",
            "company": {"display_name": "Diner"},
            "location": {"display_name": "Leeds, West Yorkshire", "area": ["UK", "Yorkshire", "Leeds"]},
            "category": {"tag": "catering-jobs", "label": "Catering Jobs"},
            "salary_min": 24000,
            "salary_max": 26000,
            "salary_is_predicted": "0",
            "contract_time": "full_time",
            "contract_type": "permanent",
            "latitude": 53.8,
            "longitude": -1.55,
        }
    ],
}
ADZUNA_URL = "https://api.adzuna.com/v1/api/jobs/gb/search/1?results_per_page=1&what=cook"

USAJOBS = {
    "LanguageCode": "EN",
    "SearchParameters": {},
    "SearchResult": {
        "SearchResultCount": 1,
        "SearchResultCountAll": 2,
        "UserArea": {"NumberOfPages": "2"},
        "SearchResultItems": [
            {
                "MatchedObjectId": "800001",
                "MatchedObjectDescriptor": {
                    "PositionID": "VA-1",
                    "PositionTitle": "Cook",
                    "PositionURI": "https://www.usajobs.gov:443/job/800001",
                    "PositionLocationDisplay": "Toledo, Ohio",
                    "PositionLocation": [
                        {
                            "LocationName": "Toledo, Ohio",
                            "CountryCode": "United States",
                            "CountrySubDivisionCode": "Ohio",
                            "CityName": "Toledo, Ohio",
                            "Longitude": -83.5,
                            "Latitude": 41.6,
                        },
                    ],
                    "OrganizationName": "Veterans Health Administration",
                    "DepartmentName": "Department of Veterans Affairs",
                    "JobCategory": [{"Name": "Cooking", "Code": "7404"}],
                    "PositionSchedule": [{"Name": "Part-time", "Code": "2"}],
                    "PositionOfferingType": [{"Name": "Permanent", "Code": "15317"}],
                    "QualificationSummary": "One year of cooking.",
                    "PositionRemuneration": [
                        {
                            "MinimumRange": "20.5",
                            "MaximumRange": "25.75",
                            "RateIntervalCode": "PH",
                            "Description": "Per Hour",
                        }
                    ],
                    "PublicationStartDate": "2026-01-05T08:00:00.0000",
                    "ApplicationCloseDate": "2026-02-05T23:59:59.9970",
                    "UserArea": {
                        "Details": {
                            "JobSummary": "Cook meals.",
                            "MajorDuties": ["Cook.", "Serve."],
                            "RemoteIndicator": False,
                        }
                    },
                },
            }
        ],
    },
}

SMARTRECRUITERS_ITEM = {
    "id": "744000001",
    "name": "Cook",
    "uuid": "2c7a",
    "refNumber": "REF1A",
    "company": {"identifier": "Diner1", "name": "Diner"},
    "releasedDate": "2026-01-05T08:00:00.000Z",
    "location": {
        "city": "Riga",
        "region": "Vidzeme",
        "country": "lv",
        "remote": False,
        "hybrid": True,
        "latitude": "56.9",
        "longitude": "24.1",
        "fullLocation": "Riga, Vidzeme, Latvia",
    },
    "industry": {"id": "food", "label": "Food"},
    "department": {"id": "9", "label": "Kitchen"},
    "function": {"id": "prod", "label": "Production"},
    "typeOfEmployment": {"id": "permanent", "label": "Full-time"},
    "experienceLevel": {"id": "mid_senior_level", "label": "Mid-Senior Level"},
    "customField": [],
    "ref": "https://api.smartrecruiters.com/v1/companies/Diner1/postings/744000001",
    "language": {"code": "en", "label": "English"},
    "visibility": "PUBLIC",
}
SMARTRECRUITERS = {"offset": 0, "limit": 100, "totalFound": 101, "content": [SMARTRECRUITERS_ITEM]}
SMARTRECRUITERS_JOB = {
    **SMARTRECRUITERS_ITEM,
    "active": True,
    "postingUrl": "https://jobs.smartrecruiters.com/Diner1/744000001-cook",
    "applyUrl": "https://jobs.smartrecruiters.com/Diner1/744000001-cook?oga=true",
    "jobAd": {
        "sections": {
            "companyDescription": {"title": "Company", "text": "<p>We cook.</p>"},
            "jobDescription": {"title": "Job", "text": "<p>Cook.</p>"},
            "qualifications": {"title": "You", "text": ""},
            "additionalInformation": {"title": "More", "text": "<p>Tips.</p>"},
            "videos": {"title": "Videos", "urls": []},
        }
    },
}

BAMBOOHR = {
    "meta": {"totalCount": 1},
    "result": [
        {
            "id": "31",
            "jobOpeningName": "Cook",
            "departmentId": "1",
            "departmentLabel": "Kitchen",
            "employmentStatusLabel": "Part-Time",
            "location": {"city": "Toledo", "state": "Ohio"},
            "atsLocation": {"country": None, "state": None, "province": None, "city": None},
            "isRemote": None,
            "locationType": "0",
        }
    ],
}
BAMBOOHR_JOB = {
    "meta": {},
    "result": {
        "jobOpening": {
            "jobOpeningShareUrl": "https://diner.bamboohr.com/careers/31",
            "jobOpeningName": "Cook",
            "jobOpeningStatus": "Open",
            "departmentId": "1",
            "departmentLabel": "Kitchen",
            "employmentStatusLabel": "Part-Time",
            "location": {"city": "Toledo", "state": "Ohio", "postalCode": "43604", "addressCountry": "United States"},
            "atsLocation": {"country": None, "state": None, "province": None, "city": None},
            "description": "<p>Cook.</p>",
            "compensation": "$20 - $25 / hour",
            "datePosted": "2026-01-05",
            "minimumExperience": "Mid-level",
            "locationType": "0",
        },
        "formFields": {},
    },
}

JSONLD = """<!DOCTYPE html><html lang="en-US"><head><title>Cook</title>
<link rel="canonical" href="https://diner.example/jobs/31"/>
<script type="application/ld+json">{"@context": "https://schema.org", "@type": "Organization", "name": "Diner"}</script>
<script type="application/ld+json">
{"@context": "https://schema.org", "@graph": [{"@type": "WebPage"}, {
  "@type": "JobPosting", "title": "Cook &amp; Baker", "description": "<p>Cook.</p>",
  "datePosted": "2026-01-05T08:00:00Z",
  "validThrough": "2026-02-05T00:00:00Z", "employmentType": ["PART_TIME"],
  "identifier": {"name": "Diner", "value": "Diner"},
  "hiringOrganization": {"@type": "Organization", "name": "Diner"}, "url": "https://diner.example/careers",
  "jobLocation": {"@type": "Place", "address": {"addressLocality": "Riga", "addressCountry": "LV"}},
  "baseSalary": {"@type": "MonetaryAmount", "currency": "EUR",
                 "value": {"@type": "QuantitativeValue", "minValue": 2000, "maxValue": 2500, "unitText": "MONTH"}}
}]}
</script></head><body><h1>Cook</h1></body></html>"""

AT = datetime(2026, 1, 5, 8, tzinfo=UTC)
ENDS = datetime(2026, 2, 5, tzinfo=UTC)
PAY = ("salary_min", "salary_max", "salary_currency", "salary_period")


def pay(*values: object) -> dict[str, object]:
    return dict(zip(PAY, values, strict=True))


DOCUMENTS: dict[str, tuple[object, str | None, dict[str, object]]] = {
    "personio": (
        PERSONIO.encode(),
        "https://diner.jobs.personio.de/xml?language=en",
        {
            "source_id": "77",
            "url": "https://diner.jobs.personio.de/job/77?language=en",
            "title": "Head Cook (m/w/d)",
            "company": "Nordlicht GmbH",
            "location_text": "Riga; Oslo; Remote",
            "work_format": "hybrid",
            "description": "<h3>Tasks</h3><p>Cook & serve.</p>\n<h3>You</h3><ul><li>Knives</li></ul>",
            "employment_type": "part-time",
            "experience": "2-5 years",
            "career_level": "experienced",
            "tags": ["Kitchen", "Food & Drink", "grill", "soup"],
            "published_at": datetime(2026, 1, 5, 7, tzinfo=UTC),
            "initial_created_at": datetime(2026, 1, 5, 7, tzinfo=UTC),
            **pay(40000, 50000, "EUR", "year"),
        },
    ),
    "indeed": (
        INDEED.encode(),
        "https://ats.example/feed.xml",
        {
            "source_id": "ref-1",
            "url": "https://ats.example/jobs/1?a=1&b=2",
            "title": "Cook & Baker",
            "company": "Diner Inc",
            "description": "<p>Cook.</p>",
            "location_text": "Toledo, OH, US",
            "city": "Toledo",
            "region": "OH",
            "country": "US",
            "work_format": "Hybrid remote",
            "employment_type": "parttime",
            "experience": "2+ years",
            "salary_text": "$20 - $25 per hour",
            "tags": ["Food", "Kitchen"],
            "published_at": AT,
            "expires_at": ENDS,
        },
    ),
    "recruitee": (
        RECRUITEE,
        None,
        {
            "source_id": "5",
            "url": "https://jobs.diner.example/o/cook",
            "title": "Cook",
            "company": "Diner",
            "description": "<p>Short.</p>\n<p>Long.</p>\n<ul><li>Knives</li></ul>",
            "work_format": "hybrid",
            "location_text": "Remote job; Riga, Riga, Latvia; Oslo, Norway",
            "employment_type": "part time",
            "career_level": "mid_level",
            "tags": ["Kitchen", "soup"],
            "published_at": AT,
            "expires_at": ENDS,
            "initial_created_at": datetime(2026, 1, 4, 8, tzinfo=UTC),
            **pay(2000, 2500.5, "EUR", "month"),
        },
    ),
    "teamtailor": (
        TEAMTAILOR_FEED,
        "https://career.diner.example/jobs.json",
        {
            "source_id": "0f-1",
            "url": "https://career.diner.example/jobs/5-cook",
            "title": "Cook",
            "company": "Diner AB",
            "description": "<p>Cook.</p>",
            "location_text": "Riga, LV; Oslo, NO",
            "city": "Riga",
            "country": "LV",
            "employment_type": "FULL_TIME",
            "published_at": AT,
        },
    ),
    "workable": (
        WORKABLE,
        None,
        {
            "source_id": "A1B2",
            "url": "https://apply.workable.com/j/A1B2",
            "title": "Cook",
            "company": "Diner",
            "description": "<p>Cook.</p>",
            "location_text": "Riga, Latvia; Oslo, Norway",
            "employment_type": "Part-time",
            "career_level": "Mid-Senior level",
            "tags": ["Kitchen", "Food"],
            "published_at": datetime(2026, 1, 5, tzinfo=UTC),
            "initial_created_at": datetime(2026, 1, 4, tzinfo=UTC),
        },
    ),
    "breezy": (
        BREEZY,
        None,
        {
            "source_id": "3f2a",
            "url": "https://diner.breezy.hr/p/3f2a-cook",
            "title": "Cook",
            "company": "Diner",
            "location_text": "Riga, Latvia",
            "work_format": "Hybrid",
            "employment_type": "Part-Time",
            "tags": ["Kitchen"],
            "salary_text": "€2,000 - €2,500 / month",
            "published_at": AT,
        },
    ),
    "arbeitnow": (
        ARBEITNOW,
        None,
        {
            "source_id": "cook-berlin-1",
            "url": "https://www.arbeitnow.com/jobs/cook-berlin-1",
            "title": "Cook",
            "company": "Diner",
            "description": "<p>Cook.</p>",
            "location_text": "Berlin",
            "work_format": "remote",
            "tags": ["Food"],
            "employment_type": "Full-time permanent",
            "career_level": "Full-time permanent",
            "published_at": AT,
        },
    ),
    "adzuna": (
        ADZUNA,
        ADZUNA_URL,
        {
            "source_id": "4400",
            "url": "https://www.adzuna.co.uk/jobs/land/ad/4400",
            "title": "Cook",
            "company": "Diner",
            "description": "Cook for …",
            "location_text": "Leeds, Yorkshire, UK",
            "country": "GB",
            "latitude": 53.8,
            "longitude": -1.55,
            "employment_type": "full_time, permanent",
            "tags": ["Catering Jobs"],
            "published_at": AT,
            **pay(24000, 26000, "GBP", "year"),
        },
    ),
    "usajobs": (
        USAJOBS,
        None,
        {
            "source_id": "800001",
            "url": "https://www.usajobs.gov:443/job/800001",
            "title": "Cook",
            "language": "en",
            "company": "Veterans Health Administration",
            "description": "Cook meals.\n\nCook.\n\nServe.\n\nOne year of cooking.",
            "location_text": "Toledo, Ohio",
            "latitude": 41.6,
            "longitude": -83.5,
            "employment_type": "Part-time, Permanent",
            "tags": ["Cooking"],
            "published_at": AT,
            "expires_at": datetime(2026, 2, 5, 23, 59, 59, 997000, tzinfo=UTC),
            **pay(20.5, 25.75, "USD", "hour"),
        },
    ),
    "smartrecruiters": (
        SMARTRECRUITERS_JOB,
        None,
        {
            "source_id": "744000001",
            "url": "https://jobs.smartrecruiters.com/Diner1/744000001-cook",
            "title": "Cook",
            "company": "Diner",
            "description": "<h3>Company</h3><p>We cook.</p>\n<h3>Job</h3><p>Cook.</p>\n<h3>More</h3><p>Tips.</p>",
            "location_text": "Riga, Vidzeme, Latvia",
            "country": "LV",
            "latitude": 56.9,
            "longitude": 24.1,
            "work_format": "hybrid",
            "employment_type": "Full-time",
            "career_level": "Mid-Senior Level",
            "tags": ["Kitchen", "Production", "Food"],
            "language": "en",
            "published_at": AT,
        },
    ),
    "bamboohr": (
        BAMBOOHR_JOB,
        None,
        {
            "source_id": "31",
            "url": "https://diner.bamboohr.com/careers/31",
            "title": "Cook",
            "description": "<p>Cook.</p>",
            "location_text": "Toledo, Ohio, United States",
            "city": "Toledo",
            "region": "Ohio",
            "country": "United States",
            "work_format": "on_site",
            "employment_type": "Part-Time",
            "career_level": "Mid-level",
            "salary_text": "$20 - $25 / hour",
            "tags": ["Kitchen"],
            "published_at": datetime(2026, 1, 5, tzinfo=UTC),
        },
    ),
    "jsonld": (
        JSONLD.encode(),
        "https://diner.example/sitemap.xml",
        {
            "source_id": "ddc1e47f99a913f0",
            "url": "https://diner.example/jobs/31",
            "title": "Cook & Baker",
            "company": "Diner",
            "description": "<p>Cook.</p>",
            "location_text": "Riga, LV",
            "city": "Riga",
            "country": "LV",
            "employment_type": "PART_TIME",
            "language": "en",
            "published_at": AT,
            "expires_at": ENDS,
            **pay(2000, 2500, "EUR", "month"),
        },
    ),
}
