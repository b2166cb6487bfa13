"""Joins Arrow IPC streams of one schema into one.

The engine gives a complete stream (schema, dictionaries, record batches, end) for each chunk of a result. Framing and the one table of
metadata that is read here are those of the Arrow columnar format, "Encapsulated message format".
"""

import struct

from errors import ClickHouseError

CONTINUATION = 0xFFFFFFFF
END_OF_STREAM = struct.pack("<Ii", CONTINUATION, 0)

# The union MessageHeader of Message.fbs.
SCHEMA = 1
# Fields of the table Message, by their number.
HEADER_TYPE = 1
BODY_LENGTH = 3


class ArrowStreamJoiner:
    """Forwards the first schema, every dictionary and record batch, and one end."""

    def __init__(self):
        self.schema = None

    def feed(self, stream):
        """The messages of one complete stream that belong into the joined one."""
        view = memoryview(stream)
        return [view[start:end] for start, end, kind in messages(view) if self._is_forwarded(view[start:end], kind)]

    def finish(self):
        return [END_OF_STREAM]

    def _is_forwarded(self, message, kind):
        if kind != SCHEMA:
            # A dictionary that comes again replaces the former one, as the format allows.
            return True
        if self.schema is None:
            self.schema = bytes(message)
            return True
        if self.schema != message:
            raise ClickHouseError("LOGICAL_ERROR", "the schema of the Arrow stream changes between two chunks")
        return False


def messages(view):
    """Start, end and kind of each message up to the end of the stream."""
    start = 0
    while start < len(view):
        continuation, metadata_length = struct.unpack_from("<Ii", view, start)
        if continuation != CONTINUATION:
            raise ClickHouseError("LOGICAL_ERROR", "an Arrow message does not begin with the continuation marker")
        if metadata_length == 0:
            return
        metadata = start + 8
        kind = field(view, metadata, HEADER_TYPE, "<B")
        end = metadata + metadata_length + field(view, metadata, BODY_LENGTH, "<q")
        if end > len(view):
            raise ClickHouseError("LOGICAL_ERROR", "an Arrow message is longer than its chunk")
        yield start, end, kind
        start = end


def field(view, metadata, number, layout):
    """A scalar of the flatbuffer's root table; zero, the default of both fields read here, when it is absent."""
    table = metadata + struct.unpack_from("<I", view, metadata)[0]
    vtable = table - struct.unpack_from("<i", view, table)[0]
    length = struct.unpack_from("<H", view, vtable)[0]
    entry = 4 + 2 * number
    offset = struct.unpack_from("<H", view, vtable + entry)[0] if entry < length else 0
    return struct.unpack_from(layout, view, table + offset)[0] if offset else 0
