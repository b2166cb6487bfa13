"""The HTTP interface: its routes."""

import json
import socket
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from engine import Engine, RunningQueries, Sessions
from faults import Faults
from log import log
from query import Query
from request import Body

OK = b"Ok.\n"
FAULTS = "/_front/faults"


class Front(ThreadingHTTPServer):
    """Serves one data directory to one user. A thread for each connection, so as many queries at once as there are connections."""

    daemon_threads = True
    request_queue_size = 256

    def __init__(self, address, folder, user, password, exception_form):
        self.engine = Engine(folder)
        self.sessions = Sessions(self.engine)
        self.running = RunningQueries()
        self.faults = Faults()
        self.user, self.password = user, password
        self.exception_form = exception_form
        super().__init__(address, Handler)

    def handle_error(self, request, client_address):
        log("connection", outcome="broken")
        super().handle_error(request, client_address)


class Handler(BaseHTTPRequestHandler):
    """A connection: request after request."""

    protocol_version = "HTTP/1.1"

    def setup(self):
        super().setup()
        # Answers are written whole chunks at a time: nothing is gained by waiting for more.
        self.connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def handle(self):
        try:
            super().handle()
        except ConnectionError:
            log("connection", outcome="client-gone")

    def log_message(self, *_):
        """Not here: the lines of http.server hold whole statements."""

    def do_GET(self):
        path, _, fields = self.path.partition("?")
        if path in ("/ping", "/replicas_status") or (path == "/" and not fields):
            self._answer(200, OK)
        elif path == "/":
            Query(self).answer()
        elif path == FAULTS:
            self._answer_json(self.server.faults.shown())
        else:
            self._answer_unknown(path)

    def do_POST(self):
        path = self.path.partition("?")[0]
        if path == "/":
            Query(self).answer()
        elif path == FAULTS:
            self._add_fault()
        else:
            self._answer_unknown(path)

    def do_DELETE(self):
        folder, _, number = self.path.rpartition("/")
        removed = self.server.faults.remove(int(number)) if folder == FAULTS and number.isdecimal() else None
        if removed is None:
            self._answer_unknown(self.path)
        else:
            self._answer_json(removed)

    def _add_fault(self):
        try:
            number = self.server.faults.add(Body(self.rfile, self.headers).read_all())
        except (TypeError, ValueError) as error:
            self._answer(400, f"{error}\n".encode())
        else:
            self._answer_json({"number": number})

    def _answer_unknown(self, path):
        self.close_connection = True
        self._answer(404, f"There is no handle {path}\n".encode())

    def _answer_json(self, document):
        self._answer(200, json.dumps(document).encode() + b"\n", "application/json")

    def _answer(self, status, body, content_type="text/html; charset=UTF-8"):
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
