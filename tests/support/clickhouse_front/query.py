"""One query, from its request to the end of its answer."""

import time

import body_encoding
import formats
import statement
from errors import ClickHouseError
from log import log
from request import Body, authenticate, parse
from response import Cut, Ended, Response

DEFAULT_FORMAT = "TabSeparated"
# What is left of a refused request's body is read up to here, so that the client gets to read why.
DRAINED = 64 << 20


class Query:
    """Takes a connection's next request and answers it."""

    def __init__(self, handler):
        self.handler = handler
        self.server = handler.server
        self.body = Body(handler.rfile, handler.headers)
        self.response = Response(handler.connection, self.server.engine.version, self.server.exception_form)
        self.started = time.monotonic()
        self.kind = ""
        self.outcome = "done"

    def answer(self):
        try:
            try:
                self._admit()
            except ClickHouseError as error:
                self.outcome = f"error-{error.code}"
                self._drain()
                self.response.fail(error)
            except Ended:
                self.outcome = "ended-early"
                self.response.finish()
        except Cut:
            self.outcome += "-cut"
            self.handler.close_connection = True
        except ConnectionError:
            self.outcome = "client-gone"
            self.handler.close_connection = True
        milliseconds = round(1000 * (time.monotonic() - self.started))
        response = self.response
        shown = response.headers.get("X-ClickHouse-Format", "")
        log("query", kind=self.kind, format=shown, status=response.status, bytes=response.sent, ms=milliseconds, outcome=self.outcome)

    def _drain(self):
        left = DRAINED
        for piece in self.body.received():
            left -= len(piece)
            if left < 0:
                self.handler.close_connection = True
                return

    def _admit(self):
        authenticate(self.handler.path, self.handler.headers, self.server.user, self.server.password)
        request = parse(self.handler.path, self.handler.headers, self.body)
        self.response.headers["X-ClickHouse-Query-Id"] = request.query_id
        self.response.headers["X-ClickHouse-Timezone"] = request.settings.get("session_timezone") or "UTC"
        text = request.statement
        insertion = statement.insertion(text)
        if insertion is None:
            text = b"\n".join(part for part in (text, self.body.read_all()) if part)
            insertion = statement.insertion(text)
        self.kind = statement.first_keyword(text)
        fault = self.server.faults.take(text, request.database)
        try:
            if fault is not None:
                self.response.suffer(fault)
            self._with_query_id(request, text, insertion)
            # Last of all: who has read the end may ask again, in the same session and with the same id.
            self.response.finish()
        finally:
            if fault is not None:
                self.server.faults.give_back(fault)

    def _with_query_id(self, request, text, insertion):
        self.server.running.enter(request.query_id)
        try:
            self._with_connection(request, text, insertion)
        finally:
            self.server.running.leave(request.query_id)

    def _with_connection(self, request, text, insertion):
        connection = self.server.sessions.take(request.session_id) if request.session_id else self.server.engine.connect()
        try:
            if request.database:
                connection.use(request.database)
            comment = request.settings.get("log_comment", "")
            connection.set({**request.settings, "log_comment": statement.tagged(request.query_id, comment)})
            if self.handler.command == "GET":
                # As a server has it: a GET changes nothing.
                connection.set({"readonly": "2"})
            if insertion is not None:
                self._insert(connection, request, insertion)
            elif self.kind == "INSERT":
                # Its values are part of the statement, which may be long: nothing in it is looked for.
                self._run_whole(connection, request, text, DEFAULT_FORMAT)
            else:
                self._run(connection, request, text)
        finally:
            if request.session_id:
                self.server.sessions.give_back(request.session_id, connection)
            else:
                connection.close()

    def _insert(self, connection, request, insertion):
        connection.set_parameters(request.parameters)
        rows, size = connection.insert(insertion.head, insertion.format, self._data(insertion))
        self.response.summary = {"read_rows": rows, "read_bytes": size, "written_rows": rows, "written_bytes": size}

    def _data(self, insertion):
        if insertion.data:
            yield insertion.data
        for piece in self.body.pieces():
            if piece:
                yield piece

    def _run(self, connection, request, text):
        named, text = statement.output_format(text)
        connection.check_single(text)
        format_name = named or request.default_format or DEFAULT_FORMAT
        self.response.headers["X-ClickHouse-Format"] = format_name
        self.response.headers["Content-Type"] = formats.content_type(format_name)
        if request.settings.get("enable_http_compression", "1") != "0":
            encoding = body_encoding.chosen(self.handler.headers.get("Accept-Encoding", ""))
            if encoding is not None:
                self.response.encode(*encoding)
        if request.wait_for_end:
            self.response.hold()
        text = statement.with_clients_query_ids(text)
        joiner = None if statement.has_totals(text) else formats.joiner(format_name, request.settings)
        stream = None if joiner is None else connection.stream(text, format_name, request.parameters)
        if stream is None:
            self._run_whole(connection, request, text, format_name)
        else:
            self._forward(stream, joiner)

    def _run_whole(self, connection, request, text, format_name):
        result = connection.run(text, format_name, request.parameters)
        self.response.summary = {
            "read_rows": result.storage_rows_read(),
            "read_bytes": result.storage_bytes_read(),
            "written_rows": result.rows_written(),
            "written_bytes": result.bytes_written(),
        }
        self.response.write([result.bytes()])

    def _forward(self, stream, joiner):
        try:
            for chunk in stream:
                # Of a result that streams, the headers can only tell what was read before its first chunk.
                self.response.summary = {"read_rows": stream.read_rows, "read_bytes": stream.read_bytes}
                self.response.write(joiner.feed(chunk))
            self.response.write(joiner.finish())
        finally:
            stream.cancel()
