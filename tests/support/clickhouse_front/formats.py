"""How the chunks of a streamed result are joined, format by format.

The engine writes each chunk of a streamed result as if it were a whole one. Where that differs from a piece of one result, the difference is
mended here; a format for which it can not be mended is not streamed.
"""

from arrow_stream import ArrowStreamJoiner
from errors import ClickHouseError

TEXT = "text/plain; charset=UTF-8"
TAB_SEPARATED = "text/tab-separated-values; charset=UTF-8"
JSON = "application/json; charset=UTF-8"
NDJSON = "application/x-ndjson; charset=UTF-8"
BINARY = "application/octet-stream"


class Unchanged:
    """Chunks in a row are the result: rows without a beginning or an end."""

    def feed(self, chunk):
        return [chunk]

    def finish(self):
        return []


class HeaderOnce:
    """Each chunk begins with the same header, which is sent once."""

    def __init__(self, header_length):
        self.header_length = header_length
        self.header = None

    def feed(self, chunk):
        if self.header is None:
            self.header = chunk[: self.header_length(chunk)]
            return [chunk]
        if not chunk.startswith(self.header):
            raise ClickHouseError("LOGICAL_ERROR", "the header of the result changes between two chunks")
        return [memoryview(chunk)[len(self.header) :]]

    def finish(self):
        return []


def lines(count):
    """The length of so many lines, in formats that escape line breaks."""

    def length(chunk):
        end = 0
        for _ in range(count):
            end = chunk.index(b"\n", end) + 1
        return end

    return length


def csv_lines(count):
    """The length of so many lines of CSV, where a quoted name may hold line breaks."""

    def length(chunk):
        end = 0
        for _ in range(count):
            end = chunk.index(b"\n", end) + 1
            while chunk.count(b'"', 0, end) % 2:
                end = chunk.index(b"\n", end) + 1
        return end

    return length


def row_binary_names(lists):
    """The length of the number of columns and so many lists of texts, each text after its length."""

    def length(chunk):
        columns, end = variable_integer(chunk, 0)
        for _ in range(lists * columns):
            size, end = variable_integer(chunk, end)
            end += size
        return end

    return length


def variable_integer(chunk, start):
    """An unsigned LEB128 number and where it ends."""
    value = shift = 0
    while True:
        byte = chunk[start]
        value |= (byte & 0x7F) << shift
        start, shift = start + 1, shift + 7
        if byte < 0x80:
            return value, start


def with_headers(name, header_length):
    """A format of plain rows and its two variants with a header."""
    return {
        name: Unchanged,
        f"{name}WithNames": lambda: HeaderOnce(header_length(1)),
        f"{name}WithNamesAndTypes": lambda: HeaderOnce(header_length(2)),
    }


JOINERS = {
    "ArrowStream": ArrowStreamJoiner,
    "JSONEachRow": Unchanged,
    "JSONLines": Unchanged,
    "JSONStringsEachRow": Unchanged,
    "NDJSON": Unchanged,
    "Native": Unchanged,
    "Null": Unchanged,
    "TSKV": Unchanged,
    **with_headers("TabSeparated", lines),
    **with_headers("TSV", lines),
    **with_headers("CSV", csv_lines),
    **with_headers("RowBinary", row_binary_names),
    **with_headers("JSONCompactEachRow", lines),
    **with_headers("JSONCompactStringsEachRow", lines),
}
JOINERS_BY_LOWER_NAME = {name.lower(): joiner for name, joiner in JOINERS.items()}


def joiner(name, settings):
    """A new joiner for a streamed result, or nothing where the result has to be had whole.

    Rows in an array, totals and extremes are more than rows: JSON and its like are not streamed, nor is anything with such settings.
    """
    if settings.get("output_format_json_array_of_rows", "0") != "0" or settings.get("extremes", "0") != "0":
        return None
    make = JOINERS_BY_LOWER_NAME.get(name.lower())
    return None if make is None else make()


def content_type(name):
    """What a server says about a format, for those that clients look at."""
    lower = name.lower()
    if lower.startswith(("tabseparated", "tsv", "tskv")):
        return TAB_SEPARATED
    if lower.startswith("csv"):
        header = "absent" if lower == "csv" else "present"
        return f"text/csv; charset=UTF-8; header={header}"
    if lower.startswith("json"):
        return NDJSON if "eachrow" in lower or lower == "jsonlines" else JSON
    if lower in ("arrow", "arrowstream", "native", "parquet", "orc", "avro", "msgpack", "null") or lower.startswith("rowbinary"):
        return BINARY
    return TEXT
