"""Servers and fronts that really refuse: right credentials get in by each plain driver, wrong ones do not."""

from __future__ import annotations

from urllib.parse import parse_qs, urlsplit

import clickhouse_connect
import psycopg
import pymysql
import pytest
from elasticsearch import Elasticsearch
from opensearchpy import OpenSearch

from tests.live.engine_probe import REFUSALS

BAD = ("wrong password", "unknown authority", "no TLS", "no client certificate")


def _options(url):
    return {key: values[0] for key, values in parse_qs(urlsplit(url).query).items()}


def _postgresql(url):
    with psycopg.connect(url, connect_timeout=5) as connection:
        return connection.execute("SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()").fetchone()[0]


def _mysql(url):
    parts, options = urlsplit(url), _options(url)
    switches = {key: True for key in ("ssl_verify_identity", "ssl_disabled") if options.pop(key, "") == "true"}
    connection = pymysql.connect(
        host=parts.hostname,
        port=parts.port,
        user=parts.username,
        password=parts.password or "",
        database=parts.path[1:],
        connect_timeout=5,
        **options,
        **switches,
    )
    try:
        with connection.cursor() as cursor:
            cursor.execute("SHOW STATUS LIKE 'Ssl_cipher'")
            return bool(cursor.fetchone()[1])
    finally:
        connection.close()


def _search(url):
    parts, options = urlsplit(url), _options(url)
    login = (parts.username, parts.password or "") if parts.username else None
    scheme = parts.scheme.partition("+")[2]
    base = f"{scheme}://{parts.hostname}:{parts.port}"
    if parts.scheme.startswith("elasticsearch"):
        client = Elasticsearch(base, basic_auth=login, max_retries=0, **options)
    else:
        key = options.pop("api_key", None)
        headers = {"Authorization": f"ApiKey {key}"} if key else {}
        client = OpenSearch(base, http_auth=login, headers=headers, max_retries=0, **options)
    try:
        return bool(client.info()["version"]["number"]) and scheme == "https"
    finally:
        client.close()


def _clickhouse(url):
    parts, options = urlsplit(url), _options(url)
    scheme = parts.scheme.partition("+")[2]
    client = clickhouse_connect.get_client(
        interface=scheme,
        host=parts.hostname,
        port=parts.port,
        username=parts.username,
        password=parts.password,
        database=parts.path[1:],
        connect_timeout=5,
        query_retries=0,
        **options,
    )
    try:
        return client.command("SELECT 1") == 1 and scheme == "https"
    finally:
        client.close()


CONNECT = {
    "postgresql": _postgresql,
    "mysql": _mysql,
    "elasticsearch": _search,
    "opensearch": _search,
    "clickhouse": _clickhouse,
}
SERVERS = tuple(CONNECT)


@pytest.mark.engines(*SERVERS)
def test_right_credentials_get_in_over_tls(engine):
    secured = engine.secured()
    assert {name: CONNECT[engine.engine](url) for name, url in secured.good.items()} == dict.fromkeys(
        secured.good, True
    )


@pytest.mark.engines(*SERVERS)
@pytest.mark.parametrize("wrong", BAD)
def test_wrong_credentials_are_refused(engine, wrong):
    with pytest.raises(REFUSALS):
        CONNECT[engine.engine](engine.secured().bad[wrong])


def test_opensearch_itself_refuses_where_it_can(opensearch, opensearch_secured):
    """Only keys, which its security plugin does not have, are left to a front of ours, and versions without it."""
    secured = opensearch.secured()
    ports = {name: urlsplit(url).port for name, url in {**secured.good, **secured.bad}.items()}
    own = {port for name, port in ports.items() if "key" not in name.lower()}
    fronts = {front.port for front in secured.fronts}
    assert {*ports.values()} - own <= fronts
    same = opensearch.version == opensearch_secured.version
    assert own == {opensearch_secured.address.port} if same else own <= fronts
    assert opensearch_secured.told().startswith(opensearch_secured.version)


@pytest.mark.engines("elasticsearch", "opensearch")
@pytest.mark.parametrize("wrong", ["wrong API key", "no credentials"])
def test_wrong_keys_are_refused(engine, wrong):
    with pytest.raises(Exception, match=r"401|security_exception"):
        _search(engine.secured().bad[wrong])
