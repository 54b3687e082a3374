"""What a new table of ours gets besides its columns: place, owner, rights, settings, comments.

Pure text.
"""

from __future__ import annotations

from collections.abc import Sequence

from toolkit.engines.postgresql.names import SHADOW
from toolkit.engines.postgresql.render import block, identifier, literal
from toolkit.plan import Sql

# Tables and indexes in tablespaces of their own are obstacles.
PLACE = Sql("SET LOCAL default_tablespace = ''", part="set")

# Letters of pg_class.relreplident; another index than the primary key is an obstacle.
_REPLICA = {"f": "FULL", "n": "NOTHING"}


def private(table: str) -> Sql:
    """Take from everybody but the owner what default privileges have given them on a new table."""
    who = "CASE a.grantee WHEN 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(a.grantee)) END"
    return Sql(
        f"DO $do$\nDECLARE\n  other TEXT;\nBEGIN\n  FOR other IN SELECT DISTINCT {who}\n"
        f"      FROM pg_class AS c CROSS JOIN aclexplode(c.relacl) AS a\n"
        f"      WHERE c.oid = {literal(table)}::regclass AND a.grantee <> c.relowner LOOP\n"
        f"    EXECUTE 'REVOKE ALL ON {table} FROM ' || other;\n  END LOOP;\nEND\n$do$"
    )


def comments(live: str, names: Sequence[str]) -> Sql:
    """To columns of the shadow that were made anew, what the live table's comments say of them."""
    listed = ", ".join(literal(name) for name in names)
    return block(
        "DECLARE\n  one RECORD;\nBEGIN\n"
        "  FOR one IN SELECT a.attname AS name, col_description(a.attrelid, a.attnum) AS said FROM pg_attribute AS a\n"
        f"      WHERE a.attrelid = {literal(identifier(live))}::regclass AND a.attname IN ({listed}) LOOP\n"
        f"    EXECUTE format('COMMENT ON COLUMN {SHADOW}.%I IS %L', one.name, one.said);\n  END LOOP;\nEND"
    )


def dress(
    owner: str,
    options: Sequence[str],
    replica: str,
    comment: str | None,
    grants: Sequence[tuple[str | None, str, str, bool]],
) -> tuple[Sql, ...]:
    """What LIKE does not bring: storage options, what a subscriber is told of a changed row, comment, owner, and last
    the grants: who makes the table owns it until then, and what is granted to an owner goes with the ownership."""
    found = []
    if replica in _REPLICA:
        found.append(f"ALTER TABLE {SHADOW} REPLICA IDENTITY {_REPLICA[replica]}")
    if options:
        pairs = (option.partition("=") for option in options)
        found.append(
            f"ALTER TABLE {SHADOW} SET ({', '.join(f'{name} = {literal(value)}' for name, _, value in pairs)})"
        )
    if comment is not None:
        found.append(f"COMMENT ON TABLE {SHADOW} IS {literal(comment)}")
    found.append(f"ALTER TABLE {SHADOW} OWNER TO {identifier(owner)}")
    for column, grantee, privilege, grantable in grants:
        what = privilege if column is None else f"{privilege} ({identifier(column)})"
        found.append(f"GRANT {what} ON {SHADOW} TO {grantee}{' WITH GRANT OPTION' * grantable}")
    return tuple(Sql(text) for text in found)
