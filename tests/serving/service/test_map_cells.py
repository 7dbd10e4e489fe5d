"""Which cells of the map are looked at around a point, against where points of the circle lie."""

import math

import h3
import pytest
from hypothesis import given
from hypothesis import strategies as st

from serving.contract.keys import NEARBY_CELL_RADIUS_KM, NEARBY_CELL_RESOLUTION
from serving.service.map_cells import rings_around

_EARTH_KM = 6371.007180918475  # as in h3

latitudes = st.floats(-1, 1).map(lambda sine: math.degrees(math.asin(sine)))  # as many of each area
longitudes = st.floats(-180, 180)


def moved(latitude: float, longitude: float, *, bearing: float, km: float) -> tuple[float, float]:
    """The point so far away on a great circle."""
    start, turn, angle = math.radians(latitude), math.radians(bearing), km / _EARTH_KM
    sine = math.sin(start) * math.cos(angle) + math.cos(start) * math.sin(angle) * math.cos(turn)
    end = math.asin(max(-1.0, min(1.0, sine)))
    east = math.atan2(
        math.sin(turn) * math.sin(angle) * math.cos(start), math.cos(angle) - math.sin(start) * math.sin(end)
    )
    return math.degrees(end), (longitude + math.degrees(east) + 540) % 360 - 180


def cell_of(point: tuple[float, float]) -> str:
    return h3.latlng_to_cell(*point, NEARBY_CELL_RESOLUTION)


@given(latitudes, longitudes, st.floats(1, 200), st.floats(0, 360), st.floats(0, 0.9999))
def test_the_cell_of_every_point_of_the_circle_is_looked_at_in_time(
    latitude: float, longitude: float, radius_km: float, bearing: float, share: float
) -> None:
    km = share * radius_km
    cell = cell_of(moved(latitude, longitude, bearing=bearing, km=km))
    found = [least_km for least_km, cells in rings_around(latitude, longitude, radius_km) if cell in cells]
    assert len(found) == 1
    assert found[0] <= km + 1e-6


@pytest.mark.parametrize("place", [(51.5074, -0.1278), (35.68, 139.69), *map(h3.cell_to_latlng, h3.get_pentagons(6))])
@pytest.mark.parametrize("radius_km", [25.0, 200.0])
def test_no_point_at_the_edge_of_the_circle_is_left_out(place: tuple[float, float], radius_km: float) -> None:
    looked_at = {cell for _, cells in rings_around(*place, radius_km) for cell in cells}
    edge = {cell_of(moved(*place, bearing=bearing, km=0.999 * radius_km)) for bearing in range(360)}
    assert edge <= looked_at
    smallest_km2 = 21.9  # of a hexagon beside a pentagon
    assert len(looked_at) < math.pi * (radius_km + 2 * NEARBY_CELL_RADIUS_KM) ** 2 / smallest_km2


@given(latitudes, longitudes)
def test_no_point_is_farther_from_the_centre_of_its_cell(latitude: float, longitude: float) -> None:
    here = (latitude, longitude)
    assert h3.great_circle_distance(here, h3.cell_to_latlng(cell_of(here)), unit="km") < NEARBY_CELL_RADIUS_KM


def test_the_radius_is_that_of_the_largest_cells() -> None:
    # The middles of the icosahedron's faces are centres of cells of every resolution.
    centres = [h3.cell_to_center_child(cell, NEARBY_CELL_RESOLUTION) for cell in h3.get_res0_cells()]
    radii = [
        h3.great_circle_distance(h3.cell_to_latlng(cell), corner, unit="km")
        for cell in centres
        for corner in h3.cell_to_boundary(cell)
    ]
    assert NEARBY_CELL_RADIUS_KM - 0.004 < max(radii) < NEARBY_CELL_RADIUS_KM
