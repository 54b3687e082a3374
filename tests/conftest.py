"""Pytest's entry to the project's own plugins; everything is in tests/engines."""

pytest_plugins = ["tests.engines.plugin"]
