"""What an event weighs, and the limits within which it is believed. The counting is SQL, in sql/catalog."""

import datetime as dt

# An unsave cancels the save; dismiss, reject and ignore say the same; an impression says nothing.
EVENT_WEIGHTS = {
    "impression": 0,
    "view": 1,
    "click": 2,
    "save": 5,
    "unsave": -5,
    "share": 3,
    "apply": 10,
    "dismiss": -5,
    "reject": -5,
    "ignore": -5,
    "feedback": 0,
}
RELEVANT_WEIGHT = 3
NOT_RELEVANT_WEIGHT = -5
# Of feedback that rates (1 to 5) without saying relevant or not.
MIN_RELEVANT_RATING = 4
MAX_NOT_RELEVANT_RATING = 2

# A page left open overnight is not ten hours of reading.
MAX_DWELL_SECONDS = 600.0
# Sixty views and clicks in a minute are a script's, or a whole office behind one account.
MAX_OPENED_A_MINUTE = 60
# Clocks of apps run ahead; what lies further in the future is refused at the door.
CLOCK_SKEW = dt.timedelta(minutes=5)
