"""An answer as a ClickHouse server writes it: in chunks, with an error in the middle if there has to be one."""

import http
import json
import secrets
import string
import tempfile

TAG_LETTERS = 16
# A result that is to be sent whole is kept in memory up to here, then in a file.
KEPT_IN_MEMORY = 4 << 20
PIECE = 1 << 20
LAST_CHUNK = b"0\r\n\r\n"


class Cut(Exception):
    """The connection is to end here."""


class Ended(Exception):
    """The body is to end here, properly."""


class Response:
    """The answer to one query. Nothing is sent before the first chunk of the result is there: until then, an error has its status."""

    def __init__(self, connection, version, form):
        self.connection = connection
        self.version = version
        self.form = form
        self.status = 200
        self.headers = {"X-ClickHouse-Server-Display-Name": "longshore-clickhouse-front", "X-ClickHouse-Timezone": "UTC"}
        self.summary = {}
        self.fault = None
        self.held = None
        self.encoder = None
        self.begun = False
        self.sent = 0
        self.tag = "".join(secrets.choice(string.ascii_lowercase) for _ in range(TAG_LETTERS))

    def encode(self, name, encoder):
        """Sends the body in a Content-Encoding."""
        self.headers["Content-Encoding"] = name
        self.encoder = encoder

    def hold(self):
        """Sends nothing before the end: an error has its status wherever it happens."""
        self.held = tempfile.SpooledTemporaryFile(KEPT_IN_MEMORY)

    def suffer(self, fault):
        """Has a fault happen to this answer. Raises the error of one that refuses the query."""
        self.form = fault.rule.form
        if fault.rule.kind == "refuse":
            fault.fire()
            raise fault.rule.error()
        self.fault = fault

    def write(self, pieces):
        """Sends what belongs together: one chunk of a result."""
        pieces = [piece for piece in pieces if len(piece)]
        if self.held is not None:
            self.held.writelines(pieces)
        elif pieces:
            self._send_unless_fault(pieces)

    def finish(self):
        """Ends the body as it should end."""
        if self.held is not None:
            held, self.held = self.held, None
            held.seek(0)
            while piece := held.read(PIECE):
                self._send_unless_fault([piece])
        self._begin()
        if self.encoder is not None:
            self._send_chunk(self.encoder.finish())
        self.connection.sendall(LAST_CHUNK)

    def fail(self, error):
        """Tells an error: with its status while nothing is sent, otherwise in the body. Raises Cut where a server cuts the connection."""
        message = error.message(self.version)
        if not self.begun:
            self._answer_error(error, message)
        elif self.form == "plain":
            self._send_body([message])
            self.finish()
        else:
            self._send_body([self._exception_block(message)])
            raise Cut

    def _exception_block(self, message):
        if self.form == "marked":
            return b"__exception__\r\n" + message
        # The block that clients look for from its end backwards; the length counts the line break at the end of the text.
        return b"\r\n__exception__\r\n%b\r\n%b%d %b\r\n__exception__\r\n" % (self.tag.encode(), message, len(message), self.tag.encode())

    def _answer_error(self, error, message):
        self.held = self.encoder = self.fault = None
        self.status = error.status
        self.headers.pop("Content-Encoding", None)
        self.headers["Content-Type"] = "text/plain; charset=UTF-8"
        self.headers["X-ClickHouse-Exception-Code"] = str(error.code)
        self._send_body([message])
        self.connection.sendall(LAST_CHUNK)

    def _send_unless_fault(self, pieces):
        size = sum(len(piece) for piece in pieces)
        if self.fault is None or self.sent + size <= self.fault.rule.after_bytes:
            self._send_body(pieces)
            return
        fault, self.fault = self.fault, None
        fault.fire()
        self._begin()
        rule = fault.rule
        if rule.kind == "exception":
            raise rule.error()
        if rule.kind in ("cut", "stall", "truncate"):
            self._send_body([b"".join(pieces)[: rule.after_bytes - self.sent]])
        if rule.kind == "stall":
            # A client that waits for an answer sends nothing: what can be read is its end.
            self.connection.recv(1)
        raise Ended if rule.kind in ("truncate", "end_early") else Cut

    def _send_body(self, pieces):
        self._begin()
        self.sent += sum(len(piece) for piece in pieces)
        if self.encoder is not None:
            pieces = self.encoder.encode(pieces)
        self._send_chunk(pieces)

    def _send_chunk(self, pieces):
        size = sum(len(piece) for piece in pieces)
        if size:
            self.connection.sendall(b"".join([b"%x\r\n" % size, *pieces, b"\r\n"]))

    def _begin(self):
        if self.begun:
            return
        self.begun = True
        if self.form == "tagged":
            self.headers["X-ClickHouse-Exception-Tag"] = self.tag
        self.headers["X-ClickHouse-Summary"] = json.dumps({name: str(value) for name, value in self.summary.items()})
        head = [f"HTTP/1.1 {self.status} {http.HTTPStatus(self.status).phrase}", "Connection: Keep-Alive", "Transfer-Encoding: chunked"]
        head += [f"{name}: {value}" for name, value in self.headers.items()]
        self.connection.sendall("\r\n".join([*head, "", ""]).encode("latin-1", "replace"))

