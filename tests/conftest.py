"""Pytest's entry to the project's own plugins (all in tests/engines), and how hypothesis runs here."""

from hypothesis import HealthCheck, settings

pytest_plugins = ["tests.engines.plugin"]

# Time is measured by benchmarks, never by tests: two cores that also run ten servers would make any deadline a lie.
settings.register_profile("project", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("project")
