"""A Longshore destination in Python, written from the .proto files alone: appends each row to a file, as a line of JSON."""
import json, math, os, threading
import pyarrow as pa
from longshore.plugin.v1 import destination_pb2 as destination, destination_pb2_grpc as destination_grpc
from longshore.plugin.v1 import plugin_pb2 as plugin, plugin_pb2_grpc as plugin_grpc
from serving import fail, log, serve

SPEC = {"type": "object", "additionalProperties": False, "required": ["path"], "properties": {
    "path": {"type": "string", "description": "The file that lines are appended to."},
    "max_text": {"type": "integer", "minimum": 0, "description": "Reject rows with a longer text, in characters."}}}


def readable(column):
    """Python's own times end at microseconds: finer ones become text or numbers."""
    if getattr(column.type, "unit", None) != "ns":
        return column
    return column.cast(pa.int64() if pa.types.is_duration(column.type) else pa.string())


def plain(value):
    """A value as JSON has it: what JSON does not have becomes text, bytes become hexadecimal digits."""
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    if isinstance(value, bytes):
        return value.hex()
    finite = isinstance(value, float) and math.isfinite(value)
    return value if finite or value is None or isinstance(value, (bool, int, str)) else str(value)


class JsonLines(plugin_grpc.PluginServicer, destination_grpc.DestinationServicer):
    def __init__(self):
        self.spec, self.lock = {}, threading.Lock()

    def Describe(self, request, context):
        capabilities = plugin.DestinationCapabilities(spec_schema=json.dumps(SPEC), write_modes=[plugin.WRITE_MODE_APPEND])
        return plugin.DescribeResponse(name="json-lines", version="1.0.0", protocol_versions=[1], destination=capabilities)

    def Configure(self, request, context):
        spec = json.loads(request.spec_json)
        types = {"path": str, "max_text": int}
        for key, value in ({"path": None} | spec).items():
            if type(value) is not types.get(key):
                fail(context, code="spec_invalid", domain=plugin.Error.DOMAIN_CONFIG, field=f"/{key}",
                     message=f"{key} is unknown, missing or of another type")
        self.spec = spec
        log("info", "configured", invocation_id=request.invocation_id)
        return plugin.ConfigureResponse()

    def TestConnection(self, request, context):
        check = plugin.Check(name="open the file", outcome=plugin.Check.OUTCOME_PASSED, message="It can be written")
        try:
            open(self.spec["path"], "ab").close()
        except OSError as error:
            check = plugin.Check(name="open the file", outcome=plugin.Check.OUTCOME_FAILED, message=str(error),
                                 remedy="Name a file in `path` that can be written.")
        return plugin.TestConnectionResponse(checks=[check])

    def Prepare(self, request, context):
        for asked in request.tables:
            if asked.write_mode not in (plugin.WRITE_MODE_UNSPECIFIED, plugin.WRITE_MODE_APPEND):
                fail(context, code="write_mode_unsupported", domain=plugin.Error.DOMAIN_CONFIG, table=asked.table.name,
                     message="Lines can only be appended")
        prepared = [destination.PreparedTable(name=asked.table.name, write_mode=plugin.WRITE_MODE_APPEND)
                    for asked in request.tables]
        return destination.PrepareResponse(tables=prepared)

    def Write(self, requests, context):
        opened = next(requests).open
        schema = pa.ipc.read_schema(pa.py_buffer(opened.table.arrow_schema))
        yield destination.WriteResponse(opened=destination.WriteOpened())
        for request in requests:
            if request.WhichOneof("request") != "batch":
                continue  # A barrier asks for what is held back, and nothing is.
            batch = pa.ipc.read_record_batch(pa.py_buffer(request.batch.data), schema)
            lines, rejects = [], []
            columns = [readable(column).to_pylist() for column in batch.columns]
            for index, row in enumerate(dict(zip(schema.names, cells)) for cells in zip(*columns)):
                key = ", ".join(str(row[column]) for column in opened.table.primary_key)
                reject = self.reject(row, sequence=request.batch.sequence, row=index, key=key)
                if reject:
                    if opened.keep_rejected_rows:
                        reject.row_data = batch.slice(index, 1).serialize().to_pybytes()
                    rejects.append(reject)
                else:
                    lines.append(json.dumps({"table": opened.table.name, "row": plain(row)}) + "\n")
            self.append("".join(lines), context)
            if rejects:
                yield destination.WriteResponse(rejects=destination.Rejects(rejects=rejects))
            ack = destination.Ack(sequence=request.batch.sequence, delivered=len(lines), rejected=len(rejects))
            yield destination.WriteResponse(ack=ack)

    def reject(self, cells, **where):
        """Why this row is refused, if it is: in words that hold no value."""
        for column, value in cells.items():
            if isinstance(value, str) and len(value) > self.spec.get("max_text", math.inf):
                return destination.Reject(column=column, rule="string_too_long", whole_row=True,
                                          reason=f"A text of {len(value)} characters", **where)

    def append(self, lines, context):
        try:
            with self.lock, open(self.spec["path"], "a", encoding="utf-8") as file:
                file.write(lines)
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            fail(context, code="file_not_written", domain=plugin.Error.DOMAIN_DESTINATION, retryable=True,
                 message="The file can not be written", causes=[str(error)])


LINES = JsonLines()
serve((plugin_grpc.add_PluginServicer_to_server, LINES), (destination_grpc.add_DestinationServicer_to_server, LINES))
