"""Temporal's List Filters: parse and type them, write them, judge them in Python, and prepare them for an engine.

Importing this costs nothing; `check.parse` is the way in. Compiling to an engine is `toolkit.engines.<engine>.filters`.
"""
