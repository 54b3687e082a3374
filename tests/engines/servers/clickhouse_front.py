"""HTTP front over chDB: a stand-in for clickhouse-server's port 8123 (transport only, no cluster features)."""
import base64, hmac, os, re, signal, sys, tempfile, zlib
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qsl, urlparse
import backports.zstd, chdb, lz4.frame

PATH = os.environ.get("CLICKHOUSE_PATH", "/var/lib/clickhouse")
HOST, PORT = os.environ.get("CLICKHOUSE_HOST", "0.0.0.0"), int(os.environ.get("CLICKHOUSE_PORT", "8123"))
USER = os.environ.get("CLICKHOUSE_USER") or "default"
PASSWORD = os.environ.get("CLICKHOUSE_PASSWORD", "")
BASE = {"mutations_sync": "0", "async_insert": "0"}  # chDB's own defaults differ from a server's
TRANSPORT = set("query database user password session_id session_timeout session_check query_id quota_key compress decompress "
                "buffer_size wait_end_of_query client_protocol_version role default_format".split())
FORMAT = re.compile(rb"\bFORMAT\s+(\w+)\s*;?\s*$", re.I)
INLINE = re.compile(rb"\s*INSERT\b[^;]*?\bFORMAT\s+\w+[ \t]*\r?\n", re.I)
QUOTED = re.compile(rb"'(?:[^'\\]|\\.|'')*'|`[^`]*`|\"[^\"]*\"|--[^\n]*|/\*.*?\*/", re.S)
STATUS = {"516": 403, "60": 404, "81": 404, "47": 404, "62": 400, "27": 400, "241": 500}


class Refused(Exception):
    pass


class Handler(BaseHTTPRequestHandler):
    protocol_version, wbufsize, disable_nagle_algorithm = "HTTP/1.1", -1, True

    def log_message(self, *args):
        pass

    def body(self):
        if self.headers.get("Transfer-Encoding", "").lower() != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length") or 0))
        out = b""
        while size := int(self.rfile.readline().split(b";")[0], 16):
            out += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return out

    def answer(self, status, data, headers=()):
        self.send_response(status)
        for k, v in dict(headers, **{"X-ClickHouse-Server-Display-Name": "chdb-stand-in", "Content-Length": str(len(data))}).items():
            self.send_header(k, v)
        self.end_headers()
        self.wfile.write(data)

    def check_login(self, q):
        h, user, key = self.headers, q.get("user"), q.get("password")
        if h.get("Authorization", "").startswith("Basic "):
            user, _, key = base64.b64decode(h["Authorization"][6:]).decode().partition(":")
        user, key = h.get("X-ClickHouse-User", user) or "default", h.get("X-ClickHouse-Key", key) or ""
        if user != USER or not hmac.compare_digest(key.encode(), PASSWORD.encode()):
            raise Refused(f"Code: 516. DB::Exception: {user}: Authentication failed: password is incorrect, or there is no user with such name. (AUTHENTICATION_FAILED)")

    def do_GET(self):
        if urlparse(self.path).path in ("/ping", "/") and "query=" not in self.path:
            return self.answer(200, b"Ok.\n")
        self.execute(b"", {"readonly": "2"})

    def do_POST(self):
        self.execute(self.body(), {})

    def execute(self, body, extra):
        q, con, spool = dict(parse_qsl(urlparse(self.path).query, keep_blank_values=True)), None, None
        try:
            self.check_login(q)
            encoding = self.headers.get("Content-Encoding")
            if encoding == "lz4":
                body = lz4.frame.decompress(body)
            elif encoding == "zstd":
                body = backports.zstd.decompress(body)
            elif encoding in ("gzip", "deflate"):
                body = zlib.decompress(body, 47)
            sql, data = (q["query"].encode(), body) if q.get("query") else (body, b"")
            if not data and (m := INLINE.match(sql)) and len(sql) > m.end():
                sql, data = sql[:m.end()], sql[m.end():]
            if re.search(rb";\s*[^\s;]", QUOTED.sub(b"''", sql)):
                raise Refused("Code: 62. DB::Exception: Syntax error (Multi-statements are not allowed). (SYNTAX_ERROR)")
            con = chdb.connect(PATH)
            if database := q.get("database") or self.headers.get("X-ClickHouse-Database"):
                con.query(f"USE `{database}`")
            settings = {k: v for k, v in q.items() if k not in TRANSPORT and not k.startswith(("param_", "http_", "send_progress", "enable_http", "cancel_http"))}
            for k, v in {**BASE, **settings, **extra}.items():
                con.query("SET %s = '%s'" % (k, v.replace("\\", "\\\\").replace("'", "\\'")))
            fmt, m, insert = q.get("default_format", "TabSeparated"), FORMAT.search(sql), re.match(rb"\s*INSERT\b", sql, re.I)
            if data and insert:
                with tempfile.NamedTemporaryFile(delete=False) as spool:
                    spool.write(data)
                sql = FORMAT.sub(b"", sql) + (" FROM INFILE '%s' FORMAT %s" % (spool.name, m[1].decode() if m else "Native")).encode()
            elif data:
                sql += b"\n" + data
            elif m and not insert:
                fmt, sql = m[1].decode(), FORMAT.sub(b"", sql)
            params = {k[6:]: v for k, v in q.items() if k.startswith("param_")}
            r = con.query(sql.decode(), fmt, params=params) if params else con.query(sql.decode(), fmt)
            self.answer(200, (r.bytes() if r is not None else b"") or b"", {"X-ClickHouse-Summary": "{}", "X-ClickHouse-Timezone": "UTC", "X-ClickHouse-Format": fmt})
        except Exception as e:
            text, code = str(e), re.search(r"Code: (\d+)", str(e))
            code = code[1] if code else "1000"
            self.answer(STATUS.get(code, 500), text.encode() + b"\n", {"X-ClickHouse-Exception-Code": code})
        finally:
            if con is not None:
                con.close()
            if spool is not None:
                os.unlink(spool.name)


class Server(ThreadingHTTPServer):
    daemon_threads, request_queue_size = True, 128


root = chdb.connect(PATH)  # keeps the engine open
if os.environ.get("CLICKHOUSE_DB"):
    root.query("CREATE DATABASE IF NOT EXISTS `%s`" % os.environ["CLICKHOUSE_DB"])
signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
print("chDB stand-in for ClickHouse, not a server:", root.query("SELECT version()").bytes().decode().strip(), flush=True)
Server((HOST, PORT), Handler).serve_forever()
