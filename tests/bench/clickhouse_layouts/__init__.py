"""Compare candidate ClickHouse layouts for Temporal visibility records.

Run ``python -m tests.bench.clickhouse_layouts --rows 1000000``; it never touches a server, only an embedded engine.
"""
