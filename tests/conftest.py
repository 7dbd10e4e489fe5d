"""What holds for every test: no deadlines, for how long one example of a property takes proves nothing."""

from hypothesis import settings

settings.register_profile("jobfeed", deadline=None)
settings.load_profile("jobfeed")
