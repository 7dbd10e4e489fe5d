"""Places under one name from both languages, and the ambiguous ones."""

from pathlib import Path

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features.vocabulary.areas import completed
from features.vocabulary.place_mentions import tokenised
from features.vocabulary.places import Gazetteer, place_key

FOLDER = Path(__file__).parents[3] / "data" / "vocabulary"
PLACES = Gazetteer.load(FOLDER)


def place(**values: object) -> tuple[object, object]:
    row = PLACES.resolve(pl.DataFrame({name: [value] for name, value in values.items()})).row(0, named=True)
    return row["city"], row["country"]


@pytest.mark.parametrize(
    ("text", "city", "country"),
    [
        ("Москва, улица Ленина, 5", "Moscow", "RU"),
        ("Moscow", "Moscow", "RU"),
        ("г. Алматы", "Almaty", "KZ"),
        ("Алма-Ата", "Almaty", "KZ"),
        ("Königsberg Düsseldorf", None, None),
        ("Dusseldorf, Germany", "Düsseldorf", "DE"),
        ("Горки (Республика Беларусь)", "Horki", "BY"),
        ("Los Angeles, CA", "Los Angeles", "US"),
        ("Santa Clara, Ca", "Santa Clara", "US"),
        ("Toronto, CA", "Toronto", "CA"),
        ("London, Ontario", "London", "CA"),
        ("London", "London", "GB"),
        ("Batumi, Georgia", "Batumi", "GE"),
        ("Atlanta, Georgia", "Atlanta", "US"),
        ("Georgia", None, "GE"),
        ("Mexico", None, "MX"),
        ("Singapore", "Singapore", "SG"),
        ("New York", "New York", "US"),
        ("Moscow, ID", "Moscow", "US"),
        ("Berlin, Munich", "Berlin", "DE"),
        ("Remote - USA", None, "US"),
        ("USA Only", None, "US"),
        ("Россия", None, "RU"),
        ("Anywhere in the World", None, None),
        ("Remote", None, None),
        ("Remote (US only)", None, "US"),
        ("Remote (Anywhere in Canada)", None, "CA"),
        ("Berlin, Germany or Remote", "Berlin", "DE"),
        ("NYC but love remote", "New York", "US"),
        ("Москва, м. Тверская", "Moscow", "RU"),
        ("м. Тверская", None, None),
        ("123456, Москва, Тверская ул., д. 1", "Moscow", "RU"),
        ("10115 Berlin", "Berlin", "DE"),
        ("1600 Amphitheatre Parkway, Mountain View, CA 94043, USA", "Mountain View", "US"),
        ("Москва и Санкт-Петербург", "Moscow", "RU"),
        ("Железногорск (Красноярский край)", "Zheleznogorsk", "RU"),
        ("Western Massachusetts", None, "US"),
        ("Suburban Philadelphia, PA", "Philadelphia", "US"),
        ("Western Australia", None, "AU"),
        ("Northern Ireland", None, "GB"),
        ("Washington D.C. Metro Area", "Washington", "US"),
        ("🇩🇪", None, "DE"),
        ("🇺🇸 USA", None, "US"),
        ("🌍 Worldwide", None, None),
        ("EMEA", None, None),
        ("UTC+3", None, None),
        ("Офис в центре города", None, None),
        ("", None, None),
        (None, None, None),
    ],
)
def test_free_text_resolves(text: str | None, city: str | None, country: str | None) -> None:
    assert place(text=text) == (city, country)


def rows_of_table() -> list[list[str]]:
    lines = (Path(__file__).parent / "place_texts.tsv").read_text(encoding="utf-8").splitlines()
    return [[*line.split("\t"), ""][:5] for line in lines if not line.startswith("#")]


@pytest.mark.parametrize(("text", "city", "region", "country", "others"), rows_of_table())
def test_texts_of_the_table_name_their_places(text: str, city: str, region: str, country: str, others: str) -> None:
    row = RESOLVED_TEXTS[text]
    for name, expected in (("city", city), ("region", region), ("country", country)):
        assert expected == "?" or row[name] == (None if expected == "-" else expected), name
    countries = {location["country"] for location in row["locations"]}
    if others.startswith("@"):
        assert set(others[1:].split()) <= countries
    elif others != "?":
        assert countries == (set(others.split()) or {country} - {"-"})
    if row["city"] or row["country"]:
        assert {name: row["locations"][0][name] for name in row if name != "locations"} == {
            name: row[name] for name in row if name != "locations"
        }


# All texts at once: one by one, they would take a minute.
TEXTS = [one[0] for one in rows_of_table()]
RESOLVED_TEXTS = dict(zip(TEXTS, PLACES.resolve(pl.DataFrame({"text": TEXTS})).rows(named=True), strict=True))

TOWNS_WITH_STATES = (
    PLACES.cities.filter(pl.col("country").is_in(["US", "CA"]))
    .join(PLACES.regions.select("country", "region", "code"), on=["country", "region"])
    .filter(pl.col("code").str.len_chars() == 2)
    .with_columns(iso3=pl.col("country").replace_strict({"US": "USA", "CA": "CAN"}))
    .select("city", "region", "country", "code", "iso3")
)
SPELLINGS = (
    "{city}, {code}", "{city} {code}", "{city}, {region}", "{iso3}.{code}.{city}", "{country}-{code}-{city}",
    "{city}, {code}, {iso3}", "{city} ({code})", "{city}, {code} or Remote", "Remote - {city}, {region}, {country}",
)  # fmt: skip


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_a_stated_state_is_hardly_ever_another(spelling: str) -> None:
    # A name of two places ("Adelaide/Churchill") is two names in a text. Each spelling has a third of the towns.
    some = TOWNS_WITH_STATES.gather_every(3, SPELLINGS.index(spelling) % 3)
    towns = [town for town in some.rows(named=True) if "/" not in town["city"]]
    found = PLACES.resolve(pl.DataFrame({"text": [spelling.format(**town) for town in towns]}))
    wrong = [
        spelling.format(**town)
        for town, row in zip(towns, found.iter_rows(named=True), strict=True)
        if row["country"] not in (None, town["country"]) or row["region"] not in (None, town["region"])
    ]
    # What is left are words that are no names of towns ("Central, LA") and names of two places ("London, CA").
    assert len(wrong) <= len(towns) / 1_000, wrong


@settings(max_examples=25, deadline=None)
@given(st.lists(st.integers(0, PLACES.cities.height - 1), min_size=20, max_size=20), st.sampled_from(["en", "ru"]))
def test_a_stated_country_is_never_another(rows: list[int], language: str) -> None:
    names = PLACES.countries.select("country", name=f"name_{language}")
    towns = PLACES.cities[rows].join(names, on="country").filter(~pl.col("city").str.contains("/"))
    found = PLACES.resolve(towns.select(text=pl.format("{}, {}", "city", "name")))
    for town, row in zip(towns.iter_rows(named=True), found.iter_rows(named=True), strict=True):
        assert row["country"] in (None, town["country"]), (town["city"], town["name"], row)


def test_two_places_are_found_from_both() -> None:
    found = PLACES.resolve(pl.DataFrame({"text": ["Canada + United States", "Berlin or Paris", "Moscow"]}))
    assert [[(at["city"], at["country"]) for at in row] for row in found["locations"]] == [
        [(None, "CA"), (None, "US")],
        [("Berlin", "DE"), ("Paris", "FR")],
        [("Moscow", "RU")],
    ]


def test_an_area_is_a_place_in_each_of_its_countries() -> None:
    row = PLACES.resolve(pl.DataFrame({"text": ["Remote, DACH"]})).row(0, named=True)
    assert row["country"] is None
    assert [place["country"] for place in row["locations"]] == ["AT", "CH", "DE"]
    assert all(place["city"] is None and place["latitude"] is None for place in row["locations"])


def test_areas_name_known_countries() -> None:
    assert set(PLACES.groups["countries"].str.split(" ").explode()) <= set(PLACES.countries["country"])


def test_the_country_of_the_feed_gives_way_to_a_stated_place() -> None:
    assert place(text="Варшава, за кордоном", default_country="UA") == ("Warsaw", "PL")
    assert place(text="Одеса", default_country="UA") == ("Odesa", "UA")
    assert place(text="віддалено", default_country="UA") == (None, "UA")
    assert place(text="Remote", default_country="UA") == (None, "UA")
    assert place(text="Worldwide", default_country="UA") == (None, None)
    assert place(text="за кордоном", default_country="UA") == (None, None)
    assert place(text="Europe", default_country="UA") == (None, None)
    assert place(text="Кроме Украины", default_country="UA") == (None, None)
    assert place(text="Any location outside Ukraine", default_country="UA") == (None, None)
    assert place(text="Remote (except Lviv)", default_country="UA") == (None, "UA")
    assert place(country="PL", default_country="UA") == (None, "PL")
    assert place(text="Paris", default_country="US")[1] == "FR"


@pytest.mark.parametrize(
    ("text", "home", "region", "country"),
    [
        ("Remote, CA", "US", "California", "US"),
        ("Remote, CA", "CA", None, "CA"),
        ("Remote, CA", "GB", None, None),
        ("Inland Empire, CA", "US", "California", "US"),
        ("Remote - IL", "IL", None, "IL"),
        ("Remote, GA", "US", "Georgia", "US"),
        ("Remote, DE", "DE", None, "DE"),
        ("Remote, PL", "US", None, "PL"),
        ("LA", "US", None, "US"),
    ],
)
def test_a_code_of_a_state_and_a_country_is_that_of_the_feed(
    text: str, home: str, region: str | None, country: str | None
) -> None:
    row = PLACES.resolve(pl.DataFrame({"text": [text], "default_country": [home]})).row(0, named=True)
    assert (row["region"], row["country"]) == (region, country)
    stated = PLACES.resolve(pl.DataFrame({"text": [text], "country": [home]})).row(0, named=True)
    assert stated["country"] == home


@pytest.mark.parametrize(
    ("text", "home", "expected"),
    [
        ("Kent", "GB", (None, "England", "GB")),
        ("Surrey", "GB", (None, "England", "GB")),
        ("Surrey", "CA", ("Surrey", "British Columbia", "CA")),
        ("Norfolk", "US", ("Norfolk", "Virginia", "US")),
        ("48143 Münster", "DE", ("Münster", "North Rhine-Westphalia", "DE")),
        ("Georgia", "US", (None, "Georgia", "US")),
        ("Georgia", "GE", (None, None, "GE")),
    ],
)
def test_a_name_of_several_places_is_the_one_in_the_country_of_the_feed(
    text: str, home: str, expected: tuple[str | None, str | None, str]
) -> None:
    for column in ("default_country", "country"):
        row = PLACES.resolve(pl.DataFrame({"text": [text], column: [home]}))
        assert row.select("city", "region", "country").row(0) == expected
        assert row["locations"].list.len()[0] == 1


def test_columns_name_no_places_outside_of_the_stated_country() -> None:
    frame = pl.DataFrame(
        {
            "city": ["Münster", "Georgia", "Bogotá", "Kent"],
            "region": [None, None, "D.C.", None],
            "country": ["DE", "US", "Colombia", "UK"],
        }
    )
    found = PLACES.resolve(frame)
    assert found["city"].to_list() == frame["city"].to_list()
    assert [[place["country"] for place in row] for row in found["locations"]] == [["DE"], ["US"], ["CO"], ["GB"]]


def test_what_two_towns_share_is_kept_and_the_rest_unknown() -> None:
    found = PLACES.resolve(pl.DataFrame({"text": ["Springfield", "Springfield, IL", "Cambridge", "Punjab"]}))
    assert found.select("city", "region", "country").rows() == [
        ("Springfield", None, "US"),
        ("Springfield", "Illinois", "US"),
        ("Cambridge", None, None),
        (None, None, None),
    ]
    assert found["latitude"].is_null().to_list() == [True, False, True, True]


def test_columns_and_text_complete_each_other() -> None:
    frame = pl.DataFrame(
        {
            "city": ["Lebanon", "Austin", None, "Berlin", None],
            "region": ["NH", None, "Ontario", None, None],
            "country": [None, "US", "CA", "Germany", "US"],
            "text": [None, "Austin, TX or Denver, CO", "London", "Berlin or Remote", "Remote, US or Canada"],
        }
    )
    found = PLACES.resolve(frame)
    assert found.select("city", "region", "country").rows() == [
        ("Lebanon", "New Hampshire", "US"),
        ("Austin", "Texas", "US"),
        ("London", "Ontario", "CA"),
        ("Berlin", "Berlin", "DE"),
        (None, None, "US"),
    ]
    assert [len(places) for places in found["locations"]] == [1, 2, 1, 1, 2]


def test_texts_and_tables_have_the_same_keys() -> None:
    names = pl.concat([PLACES.cities["city"], PLACES.cities["name_ru"].drop_nulls()]).unique().sort().gather_every(20)
    keys = names.to_frame("name").select(place_key(pl.col("name")).str.replace_all(",", ""))["name"]
    assert [" ".join(word.key for word in tokenised(name)) for name in names] == keys.to_list()
    assert set(keys) <= set(PLACES.city_keys["key"].str.replace_all(",", ""))


@pytest.mark.parametrize("country", ["Kazakhstan", "Казахстан", "KZ", "kz", "Республика Казахстан", "KAZ"])
def test_a_country_has_many_names(country: str) -> None:
    assert place(country=country) == (None, "KZ")
    assert place(country=country, city="Уральск") == ("Oral", "KZ")


def test_a_region_distinguishes_towns_of_one_name() -> None:
    frame = pl.DataFrame({"text": ["Киров", "Киров (Калужская область)", "Кировская область"]})
    assert PLACES.resolve(frame)["region"].to_list() == ["Kirov Oblast", "Kaluga Oblast", "Kirov Oblast"]


def test_the_area_of_the_source_comes_first() -> None:
    assert place(area_id="205", text="Алматы", country="Россия") == ("Shymkent", "KZ")
    assert place(area_id="113", text="Казань") == ("Kazan", "RU")
    assert place(area_id="no such area", text="Казань") == ("Kazan", "RU")


def test_a_stated_country_is_not_changed_by_a_city_elsewhere() -> None:
    assert place(city="Paris", country="US") == ("Paris", "US")
    result = PLACES.resolve(pl.DataFrame({"city": ["Paris"], "country": ["US"]}))
    assert result["latitude"][0] is None  # in Texas, Kentucky or Tennessee
    assert place(city="Nowhere", country="US", text="Paris, France") == ("Nowhere", "US")


def test_an_unknown_city_stays_as_written() -> None:
    assert place(city="Нижние Васюки", country="Россия") == ("Нижние Васюки", "RU")
    assert place(city="Remote") == (None, None)
    assert place(city="USA") == (None, "US")


def test_given_coordinates_are_kept_and_missing_ones_filled() -> None:
    frame = pl.DataFrame({"city": ["Алматы", "Алматы"], "latitude": [1.0, None], "longitude": [2.0, None]})
    result = PLACES.resolve(frame)
    assert result.select("latitude", "longitude").row(0) == (1.0, 2.0)
    assert result["latitude"][1] == pytest.approx(43.25, abs=0.05)
    assert result["longitude"][1] == pytest.approx(76.91, abs=0.05)


@settings(max_examples=25, deadline=None)
@given(st.lists(st.tuples(st.none() | st.text(max_size=40), st.none() | st.text(max_size=10)), max_size=4))
def test_any_text_gives_one_row_each_with_known_countries(rows: list[tuple[str | None, str | None]]) -> None:
    frame = pl.DataFrame(rows, schema={"text": pl.String, "country": pl.String}, orient="row")
    result = PLACES.resolve(frame)
    assert result.columns == ["city", "region", "country", "latitude", "longitude", "locations"]
    assert result.height == frame.height
    assert set(result["country"].drop_nulls()) <= set(PLACES.countries["country"])


def test_russian_and_english_names_of_every_large_city_meet() -> None:
    large = PLACES.cities.filter(
        (pl.col("population") > 300_000)
        & pl.col("name_ru").is_not_null()
        & (pl.col("country").is_in(["RU", "KZ", "BY"]))
    )
    russian = PLACES.resolve(large.select("country", city="name_ru"))
    english = PLACES.resolve(large.select("country", "city"))
    assert russian.equals(english)
    assert english["city"].to_list() == large["city"].to_list()


def test_resolving_what_was_resolved_changes_nothing() -> None:
    frame = PLACES.resolve(pl.DataFrame({"text": ["Москва", "Los Angeles, CA", "Россия", "Киров (Калужская область)"]}))
    assert PLACES.resolve(frame).equals(frame)


def test_names_for_russian_texts() -> None:
    russian = {(city, country): name for city, country, name, _ in PLACES.names.iter_rows()}
    assert russian["Almaty", "KZ"] == "Алматы" and russian["Saint Petersburg", "RU"] == "Санкт-Петербург"
    assert PLACES.names.select("city", "country").is_duplicated().sum() == 0


def test_codes_of_countries_keep_the_order_of_the_input() -> None:
    names = pl.Series("country", ["Беларусь", None, "uk", "Narnia", "США"])
    assert PLACES.country_code(names).to_list() == ["BY", None, "GB", None, "US"]


def test_the_files_agree_with_each_other() -> None:
    countries = set(PLACES.countries["country"])
    assert PLACES.countries["country"].is_unique().all()
    assert set(PLACES.areas["country"].drop_nulls()) <= countries
    assert PLACES.areas["area_id"].is_unique().all()
    towns = PLACES.areas.filter(pl.col("city").is_not_null())
    assert towns["latitude"].cast(pl.Float64).is_between(-90, 90).all()
    assert towns["longitude"].cast(pl.Float64).is_between(-180, 180).all()
    assert PLACES.areas.join(PLACES.regions, on=["country", "region"], how="anti")["region"].null_count() == (
        PLACES.areas["region"].null_count()
    )
    assert set(PLACES.areas["parent_id"].drop_nulls()) <= set(PLACES.areas["area_id"])
    assert PLACES.cities["latitude"].is_between(-90, 90).all()
    assert PLACES.cities["longitude"].is_between(-180, 180).all()


def test_rates_of_currencies_are_positive_and_dated() -> None:
    rates = pl.read_csv(FOLDER / "currencies.csv", try_parse_dates=True)
    assert {"RUB", "KZT", "BYN", "UZS", "KGS", "GEL", "AZN", "UAH", "EUR", "USD", "GBP"} <= set(rates["currency"])
    assert rates["currency"].is_unique().all()
    assert (rates["units_per_usd"] > 0).all()
    assert rates.schema["as_of_date"] == pl.Date


def test_a_town_too_small_for_the_gazetteer_is_placed_by_its_area() -> None:
    towns = PLACES.areas.filter(pl.col("city").is_not_null()).join(PLACES.cities, on=["city", "country"], how="anti")
    town = towns.row(0, named=True)
    found = PLACES.resolve(pl.DataFrame({"area_id": [town["area_id"]], "text": ["Москва"]})).row(0, named=True)
    assert (found["city"], found["country"]) == (town["city"], town["country"])
    assert found["latitude"] == float(town["latitude"])


def test_areas_of_the_api_complete_the_shipped_table() -> None:
    fetched = pl.DataFrame(
        {
            "area_id": ["40", "160", "990001", "990002"],
            "parent_id": [None, "40", "40", "990001"],
            "name": ["Казахстан", "Алматы", "Новая область", "Новый Город"],
            "latitude": [None, 1.0, None, 45.5],
            "longitude": [None, 2.0, None, 70.25],
        }
    )
    places = PLACES.with_areas(completed(PLACES.areas, fetched))
    frame = pl.DataFrame({"area_id": ["990002", "990001", "160"], "city": ["Новый Город", None, None]})
    found = places.resolve(frame).select("city", "country", "latitude", "longitude").rows()
    assert found[0] == ("Новый Город", "KZ", 45.5, 70.25)
    assert found[1] == (None, "KZ", None, None)
    assert found[2][:2] == ("Almaty", "KZ") and found[2][2] > 43
    assert completed(PLACES.areas, fetched.clear()) is PLACES.areas
