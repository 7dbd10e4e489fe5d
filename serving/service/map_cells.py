"""The cells of the map around a point, ring by ring."""

import itertools
from collections.abc import Iterator

import h3

from serving.contract.keys import NEARBY_CELL_RADIUS_KM, NEARBY_CELL_RESOLUTION


def rings_around(latitude: float, longitude: float, radius_km: float) -> Iterator[tuple[float, list[str]]]:
    """The cells that reach into a circle around a point, by ring from the point's own cell outwards.

    With each ring comes a distance: no point of this ring or a later one is nearer, because every way into a later ring
    leads through this one. So nothing in the circle is missed, though cells differ in size and shape over the globe: a
    circle of 200 km has 34 rings and 3,000 cells in Almaty, 50 and 5,700 where the cells are smallest.
    """
    here = (latitude, longitude)
    centre = h3.latlng_to_cell(latitude, longitude, NEARBY_CELL_RESOLUTION)
    for ring in itertools.count():
        nearest_km = {
            cell: h3.great_circle_distance(here, h3.cell_to_latlng(cell), unit="km") - NEARBY_CELL_RADIUS_KM
            for cell in sorted(h3.grid_ring(centre, ring))
        }
        least_km = min(nearest_km.values())
        if least_km > radius_km:
            return
        yield least_km, [cell for cell, km in nearest_km.items() if km <= radius_km]
