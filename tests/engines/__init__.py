"""Real database servers for tests: what can be started, how it is obtained, started, broken and cleaned up.

Nothing in here knows the toolkit: it hands out URLs and handles, and never creates a schema.
"""
