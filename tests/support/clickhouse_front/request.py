"""A query as an HTTP client asks for it."""

import base64
import hmac
import re
import uuid
import zlib
from dataclasses import dataclass, field
from urllib.parse import parse_qsl

from errors import ClickHouseError

PIECE = 1 << 20

# Parameters of the URL that are no settings, of src/Server/HTTPHandler.cpp; those not named elsewhere here have no effect.
RESERVED = {
    "query", "database", "default_format", "user", "password", "quota_key", "query_id", "session_id", "session_check", "session_timeout",
    "close_session", "compress", "decompress", "buffer_size", "wait_end_of_query", "stacktrace", "role", "client_protocol_version",
}  # fmt: skip


@dataclass
class Request:
    """What a query needs besides the data that may follow."""

    statement: bytes
    query_id: str
    database: str = ""
    default_format: str = ""
    session_id: str = ""
    wait_for_end: bool = False
    settings: dict = field(default_factory=dict)
    parameters: dict = field(default_factory=dict)


def parse(target, headers, body):
    """Reads the URL, the headers and, of a form, the body. `body` is left where data may follow the statement."""
    fields = dict(parse_qsl(target.partition("?")[2], keep_blank_values=True, encoding="utf-8", errors="surrogateescape"))
    boundary = re.search(r'multipart/form-data;.*boundary="?([^";]+)"?', headers.get("Content-Type", ""), re.IGNORECASE)
    if boundary:
        fields.update(form(body.read_all(), boundary.group(1).encode()))
    for name in ("compress", "decompress"):
        if fields.get(name, "0") != "0":
            text = f"{name}=1 asks for the native block compression, which this front does not have; turn compression off"
            raise ClickHouseError("NOT_IMPLEMENTED", text)
    settings = {name: value for name, value in fields.items() if name not in RESERVED and not name.startswith("param_")}
    return Request(
        statement=fields.get("query", "").encode("utf-8", "surrogateescape"),
        query_id=fields.get("query_id") or headers.get("X-ClickHouse-Query-Id") or str(uuid.uuid4()),
        database=fields.get("database") or headers.get("X-ClickHouse-Database", ""),
        default_format=headers.get("X-ClickHouse-Format") or fields.get("default_format", ""),
        session_id=fields.get("session_id", ""),
        wait_for_end=fields.get("wait_end_of_query", "0") != "0",
        settings=settings,
        parameters={name[len("param_") :]: escaped(value) for name, value in fields.items() if name.startswith("param_")},
    )


def escaped(value):
    """A parameter's value with bytes that are no UTF-8 as escapes: the library takes text only, and the values are escaped text anyway."""
    return re.sub("[\udc80-\udcff]", lambda byte: f"\\x{ord(byte.group()) - 0xDC00:02X}", value)


def form(body, boundary):
    """The fields of a multipart form."""
    fields = {}
    for part in (b"\r\n" + body).split(b"\r\n--" + boundary)[1:-1]:
        head, _, value = part.partition(b"\r\n\r\n")
        if re.search(rb"filename=", head):
            raise ClickHouseError("NOT_IMPLEMENTED", "external tables in a form are not supported by this front")
        name = re.search(rb'name="([^"]*)"', head)
        if name is None:
            raise ClickHouseError("BAD_ARGUMENTS", "a field of the form has no name")
        fields[name.group(1).decode()] = value.decode("utf-8", "surrogateescape")
    return fields


def authenticate(target, headers, user, password):
    """Lets the one user in, by any of the ways of a server.

    Raises ClickHouseError when somebody else asks, or when ways are mixed.
    """
    fields = dict(parse_qsl(target.partition("?")[2], keep_blank_values=True))
    by_headers = "X-ClickHouse-User" in headers or "X-ClickHouse-Key" in headers
    by_basic = "Authorization" in headers
    by_fields = "user" in fields or "password" in fields
    if by_headers + by_basic + by_fields > 1:
        raise ClickHouseError("AUTHENTICATION_FAILED", "Invalid authentication: it is not allowed to use two ways simultaneously")
    given = (fields.get("user", "default"), fields.get("password", ""))
    if by_headers:
        given = (headers.get("X-ClickHouse-User", ""), headers.get("X-ClickHouse-Key", ""))
    elif by_basic:
        given = basic_credentials(headers["Authorization"])
    if not hmac.compare_digest(repr(given).encode(), repr((user, password)).encode()):
        text = f"{given[0]}: Authentication failed: password is incorrect, or there is no user with such name."
        raise ClickHouseError("AUTHENTICATION_FAILED", text)


def basic_credentials(header):
    scheme, _, encoded = header.partition(" ")
    if scheme.lower() != "basic":
        raise ClickHouseError("AUTHENTICATION_FAILED", "Invalid authentication: the scheme of the Authorization header is not supported")
    try:
        user, _, password = base64.b64decode(encoded.strip(), validate=True).decode().partition(":")
    except ValueError:
        raise ClickHouseError("AUTHENTICATION_FAILED", "Invalid authentication: the Authorization header can not be read") from None
    return user, password


class Body:
    """A request's body, by its length or in chunks, as it arrives."""

    def __init__(self, stream, headers):
        self.stream = stream
        self.chunked = headers.get("Transfer-Encoding", "").lower() == "chunked"
        self.left = 0 if self.chunked else int(headers.get("Content-Length", "0"))
        self.at_end = not self.chunked and self.left == 0
        self.encoding = headers.get("Content-Encoding", "identity").lower()

    def read_all(self):
        return b"".join(self.pieces())

    def pieces(self):
        """Decoded pieces. Raises ConnectionError when the client goes before the end."""
        if self.encoding in ("", "identity"):
            yield from self.received()
            return
        if self.encoding not in ("gzip", "deflate"):
            raise ClickHouseError("NOT_IMPLEMENTED", "this front reads bodies that are plain, gzip or deflate")
        decoder = zlib.decompressobj(wbits=47)
        for piece in self.received():
            yield decoder.decompress(piece)
        yield decoder.flush()

    def received(self):
        """Pieces as they were sent."""
        while not self.at_end:
            if self.chunked and self.left == 0:
                self.left = int(self._line().split(b";")[0], 16)
                if self.left == 0:
                    while self._line():
                        pass
                    self.at_end = True
                    return
            piece = self.stream.read1(min(self.left, PIECE))
            if not piece:
                raise ConnectionError("the client went in mid-body")
            self.left -= len(piece)
            if self.left == 0 and self.chunked:
                self._line()
            self.at_end = not self.chunked and self.left == 0
            yield piece

    def _line(self):
        line = self.stream.readline(1 << 16)
        if not line.endswith(b"\n"):
            raise ConnectionError("the client went in mid-body")
        return line.rstrip(b"\r\n")
