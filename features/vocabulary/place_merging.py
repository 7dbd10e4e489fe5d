"""The places of a posting from its columns (city, region, country) and its text, which may contradict each other."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from features.vocabulary.place_context import places_of
from features.vocabulary.place_mentions import Meaning, Mentions, Token, mentions
from features.vocabulary.place_readings import Known, Place


@dataclass(frozen=True)
class StatedPlace:
    """What a posting says of its place: words of the text, of the columns together, and of the city's column."""

    text: Sequence[Token]
    city: str | None
    region: str | None
    structured: Sequence[Token]
    city_words: Sequence[Token]
    known: Known


def merged(stated: StatedPlace, meanings: Mapping[str, Meaning]) -> list[Place]:
    """The places in the order of their importance: that of the columns first, then those of the text."""
    known = stated.known
    in_text = mentions(stated.text, meanings)
    of_columns = _of_columns(stated, meanings)
    of_text = places_of(in_text, known)
    places = _united(_named(of_columns), _named(of_text))
    if known.country is not None:
        places = _country_first(places, known.country, stated.region)
    elif not (of_columns or of_text or in_text.is_worldwide or in_text.is_abroad) and known.default_country is not None:
        places = [Place(country=known.default_country)]
    return list(dict.fromkeys(places))


def _named(places: Sequence[Place]) -> list[Place]:
    """Without the places of names that may mean several."""
    return [place for place in places if place.city or place.country or place.area]


def _of_columns(stated: StatedPlace, meanings: Mapping[str, Meaning]) -> list[Place]:
    """The places of the columns; a city that is not known stays as written."""
    found = mentions(stated.structured, meanings)
    places = places_of(_within(found, stated.known.country), stated.known)
    if not stated.city_words or any(place.city for place in places):
        return places
    in_city = mentions(stated.city_words, meanings)
    names_wider = any(one.meaning.country or one.meaning.regions or one.meaning.area for one in in_city.found)
    is_noise = all(word.is_noise for word in stated.city_words)
    if is_noise or (names_wider and stated.known.country is None):
        return places
    where = next((place for place in places if not place.area), Place(country=stated.known.country))
    unknown = Place(city=stated.city, region=where.region or stated.region, country=where.country, is_stated=True)
    return [unknown, *(place for place in places if place is not where)]


def _within(found: Mentions, country: str | None) -> Mentions:
    """The mentions without what they mean outside of the stated country."""
    if country is None:
        return found
    meanings = [
        replace(
            one.meaning,
            country=country if one.meaning.country == country else None,
            regions=tuple(region for region in one.meaning.regions if region.country == country),
            towns=tuple(town for town in one.meaning.towns if town.country == country),
        )
        for one in found.found
    ]
    inside = (replace(one, meaning=meaning) for one, meaning in zip(found.found, meanings, strict=True))
    return replace(found, found=tuple(one for one in inside if one.meaning != Meaning()))


def _united(of_columns: Sequence[Place], of_text: Sequence[Place]) -> list[Place]:
    """The first place of the columns as far as the text does not say it more exactly, then all others."""
    if not of_columns:
        return list(of_text)
    first = of_columns[0]
    better = next((place for place in of_text if _says_more(place, first)), first)
    return [better, *of_columns[1:], *(place for place in of_text if place != better and not _says_more(first, place))]


def _says_more(place: Place, than: Place) -> bool:
    """Whether `place` lies in `than` and is more exact, or is the same town with its country stated."""
    if than.area or place.area:
        return False
    if than.city is not None:
        return place.city == than.city and (
            (place.is_stated and not than.is_stated) or (place.country == than.country and than.latitude is None)
        )
    return (
        place.country == than.country
        and (place.city is not None or place.region is not None)
        and than.region in (None, place.region)
    )


def _country_first(places: Sequence[Place], country: str, region: str | None) -> list[Place]:
    """`places` beginning with one in `country`."""
    inside = next((place for place in places if place.country == country), Place(region=region, country=country))
    if inside.region is None and region is not None and inside.city is None:
        inside = replace(inside, region=region)
    others = (place for place in places if place.country != country or (place.city is not None and place != inside))
    return [inside, *others]
