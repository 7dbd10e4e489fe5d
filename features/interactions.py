"""The weight of events, and the limits of plausible ones. The counting is SQL, in sql/catalog."""

import datetime as dt

# An unsave cancels the save; dismiss, reject and ignore mean the same; an impression has no weight.
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
# What the log of applications adds to the weight of an application that came so far: a firm's answer says more of how
# well user and job fit than anything that the user alone does.
RECORDED_WEIGHTS = {"interviewed": 5, "offered": 10}
RELEVANT_WEIGHT = 3
NOT_RELEVANT_WEIGHT = -5
# For feedback with a rating (1 to 5) and without a verdict on relevance.
MIN_RELEVANT_RATING = 4
MAX_NOT_RELEVANT_RATING = 2

# A page that stays open overnight is not ten hours of reading.
MAX_DWELL_SECONDS = 600.0
# More than sixty views and clicks a minute come from a script, or from many people with one account.
MAX_OPENED_A_MINUTE = 60
# Clocks of apps may run ahead; events further in the future are refused at ingest.
CLOCK_SKEW = dt.timedelta(minutes=5)
