"""What the mentions of a location text mean together: the text cut into places, each read by itself.

A place is a run of mentions that lie in each other ("Reston, VA, USA", "USA.VA.Reston"). Of all ways to cut a text into
places, the cheapest is taken: few places, large towns, names rather than codes.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product

from features.vocabulary.place_mentions import Gap, Meaning, Mention, Region, Town

_MAX_TOGETHER = 4  # mentions of one place
_PLACE = 10.0  # cost of one more place, to which the costs below relate
_SKIPPED = 16.0
_SKIPPED_UNREADABLE = 8.0
_COST_PER_TENTH = 0.8  # a town with a tenth of the people
_ALIAS_COST = 1.0
_COUNTRY_NAMESAKE_COST = 5.0
_REGION_NAMESAKE_COST = 1.0
_CODE_COST = 1.0
# "Córdoba, Argentina" is the town in the province; "Quebec, Canada", with a small town of that name, is the province.
_MAIN_TOWN_COST, _MAIN_TOWN_SHARE, _TOWN_BESIDE_SHARE = 4.0, 12, 6
_COUNTRY_CODE_COST = 2.2  # "Richmond, CA" is in California, "London, CA" in Canada: a state is likelier up to 30 times
_LONELY_CODE_COST = 3.0
_UNKNOWN_TOWN_COST = {"code": 9.0, "region": 9.5, "country": 14.0}
# Where people write the codes of regions after a town; elsewhere a code is one only beside a town that lies there.
_REGIONS_BY_CODE = frozenset({"US", "CA", "AU", "RU"})
_CONTRADICTION_COST, _METROPOLIS = 16.0, 1_000_000
_RARE_CODE_COST = 3.0
_ODD_ORDER_COST = 1.0
# A town alone must be of this size, in countries whose small towns have vacancies in our sources of the second one.
_LEAST_ALONE, _LEAST_ALONE_NEARBY = 50_000, 5_000
_NEARBY = frozenset({"RU", "KZ", "BY", "UA", "UZ", "KG", "GE", "AM", "AZ"})
# Of two towns of one name, the larger must outweigh the other by this much to be the one that is meant.
_CLEAR_WITHIN_COUNTRY, _CLEAR_BETWEEN_COUNTRIES = 3.0, 1.5
_CLEAR_BETWEEN_REGIONS = 10.0
_DEFAULT_COUNTRY_WEIGHT = 30.0
CITY_STATES = frozenset({"SG", "HK", "MO", "MC", "LU", "GI", "DJ", "SM", "VA"})


@dataclass(frozen=True, slots=True)
class Place:
    """One place of a text; `area` holds the countries of an area such as Europe, which has no country itself.

    `is_stated`: whether the text names its country or region, or a country.
    """

    city: str | None = None
    region: str | None = None
    country: str | None = None
    latitude: float | None = None
    longitude: float | None = None
    area: tuple[str, ...] = ()
    is_stated: bool = False
    population: float = 0.0


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of a text's place besides the text: its country, or only that of most postings of the feed."""

    country: str | None = None
    default_country: str | None = None


# What a mention is taken for: "country", "region", "town", "?" or "area", with the country, the region and so on.
_Kind = tuple[str, object]


@dataclass(frozen=True, slots=True)
class Reading:
    """Mentions as one place, and the towns that it may be, the likeliest first."""

    cost: float
    place: Place
    towns: tuple[Town, ...] = ()
    gap: Gap = Gap.LIST  # before its first mention
    alone: Mention | None = None  # its mention if it is the only one

    @property
    def is_alias_alone(self) -> bool:
        """Whether it is a town under a name that is not its own, with nothing that confirms it."""
        return bool(self.towns) and not self.place.is_stated and not self.towns[0].is_own_name


def cut(found: Sequence[Mention], known: Known) -> list[Reading]:
    """The cheapest way to cut the mentions into places, some of them skipped."""
    best: list[tuple[float, list[Reading]]] = [(0.0, [])]
    for end in range(1, len(found) + 1):
        alone = _cheapest(found[end - 1 : end], known)
        before, kept = best[end - 1]
        options = [(before + (_SKIPPED if alone else _SKIPPED_UNREADABLE), kept)]
        for start in range(end - 1, max(-1, end - 1 - _MAX_TOGETHER), -1):
            reading = alone if start == end - 1 else _cheapest(found[start:end], known)
            if reading is not None:
                before, kept = best[start]
                cost = reading.cost + _CONTRADICTION_COST * _contradicts(reading, kept)
                options.append((before + cost, [*kept, reading]))
            if found[start].gap == Gap.LIST:
                break
        best.append(min(options, key=lambda option: option[0]))
    return best[-1][1]


def _contradicts(reading: Reading, before: Sequence[Reading]) -> bool:
    """Whether it is a country beside a town or region that does not lie there: "Kent, Poland" is some Kent in Poland.

    A metropolis, and the second place of one country, begin a list instead: "London, Poland".
    """
    country = reading.place.country
    if not before or reading.gap > Gap.BRACKET or country is None or reading.place.city or reading.place.region:
        return False
    last = before[-1]
    if last.alone is None or last.alone.states or not (last.place.city or last.place.region):
        return False
    if last.place.country == country or last.place.population >= _METROPOLIS:
        return False
    return last.place.country not in {other.place.country for other in before[:-1]}


def _cheapest(group: Sequence[Mention], known: Known) -> Reading | None:
    """The cheapest reading of mentions as one place; None if they lie not in each other."""
    is_alone = len(group) == 1
    if is_alone and group[0].is_code_of_two:
        return Reading(_PLACE + _COUNTRY_CODE_COST, Place(), gap=group[0].gap, alone=group[0])
    around = frozenset() if is_alone else frozenset(country for one in group for country in one.countries)
    home = (known.country or known.default_country) if is_alone else None
    kinds = [_kinds(_at_home(one, home, known) if home else one, is_alone=is_alone, around=around) for one in group]
    cheapest = None
    for chosen in product(*kinds):  # at most 5 ** 4
        names = [name for name, _ in chosen]
        if len(set(names)) == len(names) and not ("town" in names and "?" in names):
            reading = _reading(group, chosen, known)
            if reading is not None and (cheapest is None or reading.cost < cheapest.cost):
                cheapest = reading
    if cheapest is None:
        return None
    if is_alone:
        cheapest = _unless_namesake(cheapest, group[0].meaning, known)
    return replace(cheapest, gap=group[0].gap, alone=group[0] if is_alone else None)


def _unless_namesake(reading: Reading, meaning: Meaning, known: Known) -> Reading:
    """A town or region alone that shares its name with another region may be either: only what both say is kept.

    In the country of the posting or its feed, only a region of that country counts. A region abroad also shares its
    name with towns: "Kent".
    """
    place = reading.place
    is_home = place.country is not None and place.country in (known.country, known.default_country)
    people = reading.towns[0].population if reading.towns else 0.0
    own = [one for one in meaning.regions if (one.name, one.country) == (place.region, place.country)]
    rivals: list[Region | Town] = [
        one
        for one in meaning.regions
        if not one.is_code
        and one not in own
        and (one.country == place.country or not is_home)
        and one.weight * 3 > people
    ]
    if reading.towns and (not rivals or own):
        return reading
    if not reading.towns:
        rivals = [one for one in rivals if own and one.weight * _CLEAR_BETWEEN_REGIONS > own[0].weight]
        if own and not is_home:
            rivals += _towns_abroad(meaning.towns, own[0])
        if not rivals:
            return reading
    is_same_country = all(one.country == place.country for one in rivals)
    return replace(reading, place=Place(country=place.country) if is_same_country else Place(), towns=())


def _towns_abroad(towns: Iterable[Town], region: Region) -> list[Town]:
    """The towns of another country that are not much smaller than the region of their name."""
    return [
        town
        for town in towns
        if town.is_own_name
        and town.country != region.country
        and town.population * _CLEAR_BETWEEN_REGIONS > region.weight
    ]


def _at_home(mention: Mention, home: str, known: Known) -> Mention:
    """The mention without its meanings abroad if it names a region or town of the posting's or the feed's country.

    A country gives way to a region of the feed's country ("Georgia"), and to a town only if the posting states its own.
    """
    meaning = mention.meaning
    regions = tuple(one for one in meaning.regions if one.country == home and not one.is_code)
    if not regions and not any(town.is_own_name and town.country == home for town in meaning.towns):
        return mention
    is_home = bool(regions) or known.country is not None
    country = meaning.country if meaning.country == home or not is_home else None
    return replace(mention, meaning=replace(meaning, country=country, regions=regions))


def _kinds(mention: Mention, *, is_alone: bool, around: frozenset[str]) -> list[_Kind]:
    """What a mention may be: a country, a region, a town, a town that is not in the tables ("?") or an area.

    `around` holds the countries that the other mentions may lie in.
    """
    meaning = mention.meaning
    kinds: list[_Kind] = []
    if meaning.area:
        kinds.append(("area", meaning.area))
    if meaning.country is not None and not (is_alone and meaning.is_country_code and mention.is_code_like):
        kinds.append(("country", meaning.country))
    for one in meaning.regions:
        is_usual = one.country in _REGIONS_BY_CODE
        if not one.is_code or (is_usual and not (is_alone and mention.is_code_like)) or one.country in around:
            kinds.append(("region", one))
    if meaning.towns and mention.allows_town:
        kinds.append(("town", meaning.towns))
    if not is_alone and (meaning.towns or meaning.has_long_name) and mention.allows_town and not mention.is_short:
        kinds.append(("?", None))
    return kinds


def _reading(group: Sequence[Mention], kinds: Sequence[_Kind], known: Known) -> Reading | None:
    """These mentions as one place if they are these kinds; None if that contradicts itself or `known`."""
    part = {name: (value, one) for (name, value), one in zip(kinds, group, strict=True)}
    if "area" in part:
        return _in_area(group, kinds, known)
    country, region = _wider(part)
    if region is not None and country not in (None, region.country):
        return None
    if region is not None and region.is_code and region.country not in _REGIONS_BY_CODE and "town" not in part:
        return None
    where = country or (region.country if region else None)
    is_alone = len(group) == 1
    cost = _PLACE + _order_cost(list(part))
    for name, (value, one) in part.items():
        if name in ("country", "region"):
            cost += _wider_cost(one, value, is_alone=is_alone, has_town="town" in part)
    place = Place(region=region.name if region else None, country=where, is_stated=where is not None)
    if "?" in part:
        unknown = part["?"][1]
        if unknown.meaning.country is not None and unknown is not group[0]:
            return None  # "Kent, Poland"
        wider = [one.meaning for name, (_, one) in part.items() if name != "?"]
        which = "country" if region is None else "region" if any(one.has_long_name for one in wider) else "code"
        return Reading(cost + _UNKNOWN_TOWN_COST[which], place) if where else None
    if "town" not in part:
        return Reading(cost, _city_state(place, group[0]) if is_alone else place)
    return _town_reading(part["town"][1], cost=cost, country=country, region=region, known=known, is_alone=is_alone)


def _wider(part: Mapping[str, tuple[object, Mention]]) -> tuple[str | None, Region | None]:
    country, region = part.get("country", (None, None))[0], part.get("region", (None, None))[0]
    return country if isinstance(country, str) else None, region if isinstance(region, Region) else None


def _in_area(group: Sequence[Mention], kinds: Sequence[_Kind], known: Known) -> Reading | None:
    """An area alone is a place; around a place that lies in it, it says nothing new."""
    area = next(one.meaning.area for one, (name, _) in zip(group, kinds, strict=True) if name == "area")
    if len(group) == 1:
        return Reading(_PLACE, Place(area=area, is_stated=True))
    others = [(one, kind) for one, kind in zip(group, kinds, strict=True) if kind[0] != "area"]
    inner = _reading([one for one, _ in others], [kind for _, kind in others], known)
    return replace(inner, cost=inner.cost + _CODE_COST / 2) if inner and inner.place.country in area else None


def _town_reading(
    mention: Mention, *, cost: float, country: str | None, region: Region | None, known: Known, is_alone: bool
) -> Reading | None:
    found = [
        town
        for town in mention.meaning.towns
        if (country is None or town.country == country)
        and (region is None or town.region == region.name)
        and (not mention.is_ukrainian or town.country == "UA")
    ]
    if country is None:
        if known.country is not None:
            found = [town for town in found if town.country == known.country]
        elif is_alone:
            found = [town for town in found if _is_large_enough(town, known)]
    if not found:
        return None
    towns = likeliest_first(found, known)
    best = towns[0]
    cost += max(0.0, 6 - math.log10(max(best.population, 1))) * _COST_PER_TENTH
    cost += 0 if best.is_own_name else _ALIAS_COST
    meaning = mention.meaning
    is_abroad = meaning.country not in (None, best.country) and not meaning.is_country_code
    if is_abroad or (meaning.country is not None and is_alone):
        cost += _COUNTRY_NAMESAKE_COST
    elif any(not one.is_code and one.name != best.region for one in meaning.regions):
        cost += _REGION_NAMESAKE_COST
    return Reading(cost, place_of(towns, country=country, region=region, known=known), tuple(towns))


def likeliest_first(towns: Iterable[Town], known: Known) -> list[Town]:
    """The towns in the order of their weights, those of the feed's country weighing more."""
    return sorted(
        towns, key=lambda town: (-town.weight * _factor(town, known), town.country, town.region or "", town.latitude)
    )


def place_of(towns: Sequence[Town], *, country: str | None, region: Region | None, known: Known) -> Place:
    """The first town; without region and coordinates, or even country, if another of its name is as likely."""
    best = towns[0]
    weights = [town.weight * _factor(town, known) for town in towns]
    rivals = [
        (town, weight)
        for town, weight in zip(towns[1:], weights[1:], strict=True)
        if (town.country, town.region) != (best.country, best.region)
    ]
    is_country_clear = (
        country is not None
        or known.country is not None
        or all(
            weights[0] >= _CLEAR_BETWEEN_COUNTRIES * weight for town, weight in rivals if town.country != best.country
        )
    )
    if not is_country_clear:
        return Place(city=best.name, population=best.population)
    is_clear = region is not None or all(
        weights[0] >= _CLEAR_WITHIN_COUNTRY * weight for town, weight in rivals if town.country == best.country
    )
    is_stated = country is not None or region is not None
    where = Place(city=best.name, country=best.country, is_stated=is_stated, population=best.population)
    if not is_clear:
        return where
    return replace(where, region=best.region, latitude=best.latitude, longitude=best.longitude)


def _city_state(place: Place, mention: Mention) -> Place:
    if place.country not in CITY_STATES or place.region is not None:
        return place
    town = next((one for one in mention.meaning.towns if one.country == place.country), None)
    if town is None:
        return place
    return replace(
        place, city=town.name, region=town.region, latitude=town.latitude, longitude=town.longitude,
        population=town.population,
    )  # fmt: skip


def _wider_cost(mention: Mention, kind: object, *, is_alone: bool, has_town: bool) -> float:
    if isinstance(kind, Region):
        if not kind.is_code:
            namesake = 0.0 if has_town else _MAIN_TOWN_COST * _has_main_town(mention, kind)
            return 0.5 + max(0.0, 6 - math.log10(max(kind.weight, 1))) * _COST_PER_TENTH + namesake
        is_rare = kind.country not in _REGIONS_BY_CODE
        return _CODE_COST + (_LONELY_CODE_COST if is_alone else 0) + (_RARE_CODE_COST if is_rare else 0)
    return _COUNTRY_CODE_COST if mention.meaning.is_country_code else 0.0


def _has_main_town(mention: Mention, region: Region) -> bool:
    """Whether the name is also that of a town with a good part of the region's people, in it or beside it."""
    return any(
        town.population * (_MAIN_TOWN_SHARE if town.region == region.name else _TOWN_BESIDE_SHARE) > region.weight
        for town in mention.meaning.towns
        if town.country == region.country
    )


def _order_cost(names: Sequence[str]) -> float:
    rank = {"town": 0, "?": 0, "region": 1, "country": 2}
    ranks = [rank[name] for name in names]
    return 0.0 if ranks == sorted(ranks) or ranks == sorted(ranks, reverse=True) else _ODD_ORDER_COST


def _is_large_enough(town: Town, known: Known) -> bool:
    if town.country == known.default_country:
        return True
    least = _LEAST_ALONE_NEARBY if town.country in _NEARBY else _LEAST_ALONE
    return town.population >= least


def _factor(town: Town, known: Known) -> float:
    return _DEFAULT_COUNTRY_WEIGHT if town.country == known.default_country else 1.0
