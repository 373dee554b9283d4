"""Hypothesis profiles: the same examples on every machine, more of them with scripts/test --all, or many new ones."""

from hypothesis import settings

settings.register_profile("reproducible", derandomize=True, deadline=None, max_examples=80)
settings.register_profile("deep", derandomize=True, deadline=None, max_examples=400)
settings.register_profile("thorough", deadline=None, max_examples=5000)
settings.load_profile("reproducible")
