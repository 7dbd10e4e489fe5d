"""The places of a location text: what each of its readings means beside the others."""

from collections.abc import Iterable, Sequence
from dataclasses import replace

from features.vocabulary.place_mentions import Gap, Mentions
from features.vocabulary.place_readings import Known, Place, Reading, cut, likeliest_first, place_of

# Smaller towns beside a larger one, with nothing but a comma, are its districts.
_LEAST_BESIDE_LARGER = 100_000
_SAME_COUNTRY_WEIGHT, _SAME_REGION_WEIGHT = 10.0, 30.0


def places_of(mentions: Mentions, known: Known) -> list[Place]:
    """The places that the mentions name, in their order, each once."""
    readings = cut(mentions.found, known)
    readings = [_code_in_context(one, readings, known) for one in readings]
    readings = [_in_context(one, readings, known) for one in readings]
    return list(dict.fromkeys(one.place for one in _without_districts(_without_word_runs(readings))))


def _code_in_context(one: Reading, readings: Iterable[Reading], known: Known) -> Reading:
    """A code alone, read as the state or the country that the places around or the posting's country make likely.

    "CA" is California beside a town or state of the US, and Canada beside countries. With neither it is no place.
    """
    if one.alone is None or not one.alone.is_code_of_two:
        return one
    meaning, states = one.alone.meaning, {state.country: state for state in one.alone.states}
    others = [other.place for other in readings if other.place.country is not None]
    within = {place.country for place in others if place.city or place.region}
    countries = {place.country for place in others if not (place.city or place.region)}
    if one.alone.is_after_county:
        home: str | None = "US"
    elif within & states.keys() or countries:
        is_clear = bool(within & states.keys()) != bool(countries - states.keys())
        around = within & states.keys() or {meaning.country}
        home = min(around, key=str) if is_clear and len(around) == 1 else None
    else:
        home = known.country or known.default_country
    if home not in states:
        return replace(one, place=Place(country=home, is_stated=True)) if home == meaning.country else one
    # "LA" is Louisiana or Los Angeles.
    is_town_too = any(town.country == home for town in meaning.towns)
    region = None if is_town_too else states[home].name
    return replace(one, place=Place(region=region, country=home, is_stated=True))


def _in_context(one: Reading, readings: Iterable[Reading], known: Known) -> Reading:
    """A town whose country the text leaves open, read again with the countries and regions that other places state."""
    if not one.towns or one.place.is_stated or known.country is not None:
        return one
    others = [other.place for other in readings if other is not one and other.place.is_stated]
    countries, regions = {place.country for place in others}, {place.region for place in others if place.region}
    if not others:
        return one
    towns = [
        replace(
            town,
            weight=town.weight
            * (_SAME_COUNTRY_WEIGHT if town.country in countries else 1)
            * (_SAME_REGION_WEIGHT if town.region in regions and town.country in countries else 1),
        )
        for town in one.towns
    ]
    return replace(one, place=place_of(likeliest_first(towns, known), country=None, region=None, known=known))


def _without_word_runs(readings: Sequence[Reading]) -> list[Reading]:
    """Drops two names with only a space between them if one is no more than an alias: "Königsberg Düsseldorf"."""
    pairs = [
        index
        for index in range(1, len(readings))
        if readings[index].gap == Gap.SOFT and (readings[index].is_alias_alone or readings[index - 1].is_alias_alone)
    ]
    dropped = {place for index in pairs for place in (index - 1, index)}
    return [one for index, one in enumerate(readings) if index not in dropped]


def _without_districts(readings: Sequence[Reading]) -> list[Reading]:
    """Drops small towns beside a larger one with nothing but a comma between them, unless they lie in its region."""
    kept = []
    for index, one in enumerate(readings):
        place = one.place
        is_small = bool(one.towns) and not place.is_stated and place.population < _LEAST_BESIDE_LARGER
        chain = _chain(readings, index)
        largest = max((other.place for other in chain), key=lambda other: other.population)
        is_district = is_small and largest.population > place.population
        if not is_district or (place.country, place.region) == (largest.country, largest.region):
            kept.append(one)
    return kept


def _chain(readings: Sequence[Reading], index: int) -> Sequence[Reading]:
    """The readings around one that no mark of a list separates from it."""
    start = index
    while start > 0 and readings[start].gap != Gap.LIST:
        start -= 1
    end = index + 1
    while end < len(readings) and readings[end].gap != Gap.LIST:
        end += 1
    return readings[start:end]
