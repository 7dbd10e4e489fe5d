"""Packed feeds and component values: the byte format.

A feed or fallback feed is packed (all integers little-endian), because JSON of a hundred items takes long to decode:
  "F", 0, u16 number of items, u16 length of the head, the head: members of a JSON object,
  `"generated_at":…,"recipe":…,"arm":…,"source":…`, then the items in rank order, each
  u32 number of the job, u32 score and u32 propensity in steps of 1/SCORE_STEPS, u16 confidence in steps of
  1/CONFIDENCE_STEPS, u8 match percent, u8 flags (1 seen + 2 explored) + 4 * number of reasons, then each reason
  u32 number of the reason, and if that has NAMES_A_JOB_BIT, u32 number of the job that it names.
Component values of the first items are packed too: PACKED_COMPONENTS, then for each item in rank order a u16 for each
of COMPONENTS in steps of 1/COMPONENT_STEPS, UNKNOWN_COMPONENT where it is not known.
"""

import struct

PACKED_FEED = b"F"
FEED_HEADER = struct.Struct("<cxHH")
ITEM_BYTES = 16
SCORE_STEPS = 1_000_000
UNKNOWN = 0xFFFF_FFFF
CONFIDENCE_STEPS = 10_000
UNKNOWN_CONFIDENCE = 0xFFFF
NAMES_A_JOB_BIT = 0x8000_0000
MOST_REASONS = 63  # of an item
PACKED_COMPONENTS = b"c"  # then 16-bit little-endian integers
COMPONENT_STEPS = 65_000
UNKNOWN_COMPONENT = 65_535
FLAG_SEEN = 1
FLAG_EXPLORED = 2
