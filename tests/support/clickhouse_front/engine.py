"""The ClickHouse engine that runs inside this process.

One process opens one data directory; each query has a connection of its own there, with its own settings and current database. The library
releases Python's lock while it works, so queries of several threads run at the same time; nothing here is serial but a session's queries.
"""

import re
import threading

from chdb import _chdb

from errors import ClickHouseError

# Where the library's defaults differ from a server's.
DEFAULTS_OF_A_SERVER = {
    "allow_introspection_functions": "0",
    "implicit_select": "0",
    "materialize_statistics_on_insert": "1",
    "output_format_arrow_use_native_writer": "1",
    "storage_file_read_method": "pread",
}

SETTING_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.]*")
NOT_STREAMED = "Streaming query is not supported"


def quoted(text):
    """A string literal."""
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


class Engine:
    """The data directory. It stays open for as long as this object lives: without a connection, tables in memory would be lost."""

    def __init__(self, folder):
        self.folder = str(folder)
        self.first = _chdb.connect(self.folder)
        # The library's own `default` overlays a directory of files; a server's does not.
        self.first.query("DROP DATABASE default", "Null")
        self.first.query("CREATE DATABASE default ENGINE = Atomic", "Null")
        self.version = self.first.query("SELECT version()", "TSVRaw").bytes().decode().strip()

    def connect(self):
        """A new connection."""
        return Connection(_chdb.connect(self.folder))


class Connection:
    """One connection: one query at a time, settings that stay."""

    def __init__(self, inner):
        self.inner = inner
        self.changed = set()
        self.set(DEFAULTS_OF_A_SERVER)
        self.changed.clear()

    def close(self):
        self.inner.close()

    def use(self, database):
        """Makes a database the current one."""
        self.run(f"USE `{database.replace('`', '``')}`".encode(), "Null", {})

    def set(self, settings):
        """Changes settings, each given as text."""
        for name in settings:
            if not SETTING_NAME.fullmatch(name):
                raise ClickHouseError("UNKNOWN_SETTING", "Unknown setting: the name is no identifier")
        if settings:
            changes = ", ".join(f"{name} = {quoted(value)}" for name, value in settings.items())
            self.run(f"SET {changes}".encode(), "Null", {})
            self.changed.update(settings)

    def set_parameters(self, parameters):
        """Gives values to `{name:Type}` of the next statement, where they can not be passed along with it."""
        for name, value in parameters.items():
            if SETTING_NAME.fullmatch(name):
                self.run(f"SET param_{name} = {quoted(value)}".encode(), "Null", {})

    def check_single(self, text):
        """Refuses several statements in one request, which a server does not take."""
        if self.inner.classify_query(text)["statement_count"] > 1:
            raise ClickHouseError("SYNTAX_ERROR", "Syntax error (Multi-statements are not allowed)")

    def reset(self):
        """Takes back what was set since the connection was made, for the next query of a session."""
        for name in sorted(self.changed, key=lambda name: name != "readonly"):
            default = DEFAULTS_OF_A_SERVER.get(name)
            self.run(f"SET {name} = {'DEFAULT' if default is None else quoted(default)}".encode(), "Null", {})
        self.changed.clear()

    def run(self, text, format_name, parameters):
        """Runs a statement to its end and gives the whole result."""
        try:
            return self.inner.query(text, format_name, params=parameters)
        except RuntimeError as error:
            self._forget_output()
            raise ClickHouseError.of_engine(error) from None

    def stream(self, text, format_name, parameters):
        """Starts a query whose result is fetched piece by piece; nothing when it is of a kind that the engine does not stream."""
        try:
            return Stream(self.inner, self.inner.send_query(text, format_name, params=parameters))
        except RuntimeError as error:
            if NOT_STREAMED in str(error):
                return None
            raise ClickHouseError.of_engine(error) from None

    def insert(self, head, format_name, pieces):
        """Inserts data as it arrives; all of it, or nothing when it breaks off. Gives the number of rows and bytes written."""
        inserter = None
        try:
            inserter = self.inner.send_insert(head, format_name)
            for piece in pieces:
                self.inner.insert_append(inserter, piece)
            result = self.inner.insert_done(inserter)
            inserter = None
            return result.rows_written(), result.bytes_written()
        except RuntimeError as error:
            inserter = None
            raise ClickHouseError.of_engine(error) from None
        finally:
            if inserter is not None:
                self.inner.insert_cancel(inserter)

    def _forget_output(self):
        # After a failed query, what it had written comes out with the next one.
        try:
            self.inner.query("SELECT 1", "Null")
        except RuntimeError:
            # The next query of this connection says what is wrong with it.
            pass


class Stream:
    """A running query. Only the block that is being fetched is in memory."""

    def __init__(self, inner, handle):
        self.inner = inner
        self.handle = handle
        self.running = True
        self.read_rows = 0
        self.read_bytes = 0

    def __iter__(self):
        """The result's chunks. The last one may hold no rows but a header."""
        while self.running:
            try:
                chunk = self.inner.streaming_fetch_result(self.handle)
            except RuntimeError as error:
                self.running = False
                raise ClickHouseError.of_engine(error) from None
            self.read_rows += chunk.storage_rows_read()
            self.read_bytes += chunk.storage_bytes_read()
            if chunk.rows_read() == 0:
                self.running = False
            if chunk.size():
                yield chunk.bytes()

    def cancel(self):
        """Ends the query when it still runs."""
        if self.running:
            self.running = False
            self.inner.streaming_cancel_query(self.handle)


class RunningQueries:
    """The ids that clients gave to queries that run now."""

    def __init__(self):
        self.lock = threading.Lock()
        self.ids = set()

    def enter(self, query_id):
        with self.lock:
            if query_id in self.ids:
                text = f"Query with id = {query_id} is already running."
                raise ClickHouseError("QUERY_WITH_SAME_ID_IS_ALREADY_RUNNING", text)
            self.ids.add(query_id)

    def leave(self, query_id):
        with self.lock:
            self.ids.discard(query_id)


class Sessions:
    """Connections that outlive a request, by the session id that clients give."""

    def __init__(self, engine):
        self.engine = engine
        self.lock = threading.Lock()
        self.idle = {}
        self.busy = set()

    def take(self, session_id):
        """The session's connection, which nobody else has until it is given back."""
        with self.lock:
            if session_id in self.busy:
                raise ClickHouseError("SESSION_IS_LOCKED", "Session is locked by a concurrent client")
            self.busy.add(session_id)
            connection = self.idle.pop(session_id, None)
        return connection or self.engine.connect()

    def give_back(self, session_id, connection):
        connection.reset()
        with self.lock:
            self.busy.discard(session_id)
            self.idle[session_id] = connection
