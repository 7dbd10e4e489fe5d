"""Component values of feeds as the look-up file holds them: packed, because JSON of them would outgrow the feeds."""

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from serving.contract.feed_codec import COMPONENT_STEPS, PACKED_COMPONENTS, UNKNOWN_COMPONENT
from serving.contract.tables import COMPONENTS


def packed(block: pa.Table) -> list[tuple[str, bytes]]:
    """User and packed values of the items that have components, in rank order; `block` has feeds with components."""
    rows: list[tuple[str, bytes]] = []
    for batch in block.combine_chunks().to_batches():
        items = batch.column("items")
        components = items.flatten().field("components")
        is_known = np.asarray(components.is_valid())
        offsets = np.asarray(items.offsets) - items.offsets[0].as_py()
        steps = _steps(components.filter(components.is_valid())).astype("<u2", copy=False)
        # Where each user's values begin and end among those that are known.
        ends = np.concatenate([[0], np.cumsum(is_known)])[offsets]
        body, width = steps.tobytes(), 2 * len(COMPONENTS)
        users: Sequence[str] = batch.column("user_id").to_pylist()
        rows += [
            (user, PACKED_COMPONENTS + body[start * width : end * width])
            for user, start, end in zip(users, ends[:-1].tolist(), ends[1:].tolist(), strict=True)
            if end > start
        ]
    return rows


def _steps(components: pa.StructArray) -> NDArray[np.uint16]:
    """The values in steps of 1/COMPONENT_STEPS: items × components."""
    values = np.empty((len(components), len(COMPONENTS)), dtype=np.float32)
    for place, name in enumerate(COMPONENTS):
        values[:, place] = components.field(name).to_numpy(zero_copy_only=False)
    known = ~np.isnan(values)
    steps = np.rint(np.clip(np.where(known, values, 0), 0, 1) * COMPONENT_STEPS)
    return np.where(known, steps, UNKNOWN_COMPONENT).astype(np.uint16)
