"""Hypothesis profiles: the same examples on every machine, or with --hypothesis-profile=thorough, many new ones."""

from hypothesis import settings

settings.register_profile("reproducible", derandomize=True, deadline=None, max_examples=150)
settings.register_profile("thorough", deadline=None, max_examples=5000)
settings.load_profile("reproducible")
