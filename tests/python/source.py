"""A Longshore source in Python, written from the .proto files alone: square numbers, read incrementally by `n`."""
import collections, datetime, json, threading
import grpc
import pyarrow as pa
from longshore.plugin.v1 import plugin_pb2 as plugin, plugin_pb2_grpc as plugin_grpc
from longshore.plugin.v1 import source_pb2 as source, source_pb2_grpc as source_grpc, table_pb2 as table
from serving import fail, log, serve

SPEC = {"type": "object", "additionalProperties": False, "required": ["rows"], "properties": {
    "rows": {"type": "integer", "description": "The squares of 1 up to this number."},
    "batch_rows": {"type": "integer", "minimum": 1, "description": "Rows of a batch at most."},
    "fail_at": {"type": "integer", "description": "For tests: fail once, before this row, so that it is worth trying again."}}}
SCHEMA = pa.schema([pa.field("n", pa.int64(), nullable=False), pa.field("square", pa.decimal128(38, 0)),
                    pa.field("label", pa.string()), pa.field("at", pa.timestamp("us", tz="UTC"))])
ARROW_SCHEMA = SCHEMA.serialize().to_pybytes()
TABLE = table.Table(name="squares", arrow_schema=ARROW_SCHEMA, primary_key=["n"], cursor="n", kind="table")
EPOCH = datetime.datetime(2026, 1, 1, tzinfo=datetime.timezone.utc)


def rows(first, last):
    """The rows from `first` to `last` as one batch; every fifth label is NULL."""
    numbers = range(first, last + 1)
    labels = [None if n % 5 == 0 else f"{n} × {n}" for n in numbers]
    times = [EPOCH + datetime.timedelta(seconds=n) for n in numbers]
    columns = [list(numbers), [n * n for n in numbers], labels, times]
    return pa.record_batch([pa.array(column, field.type) for column, field in zip(columns, SCHEMA)], schema=SCHEMA)


class Squares(plugin_grpc.PluginServicer, source_grpc.SourceServicer):
    def __init__(self):
        self.spec, self.reading, self.failed = {}, set(), False

    def Describe(self, request, context):
        capabilities = plugin.SourceCapabilities(spec_schema=json.dumps(SPEC), incremental=True, resumable=True)
        return plugin.DescribeResponse(name="squares", version="1.0.0", protocol_versions=[1], source=capabilities)

    def Configure(self, request, context):
        spec = json.loads(request.spec_json)
        if self.reading:
            fail(context, code="in_use", domain=plugin.Error.DOMAIN_PROTOCOL, message="A run is reading")
        for key, value in ({"rows": None} | spec).items():
            if key not in SPEC["properties"] or type(value) is not int:
                fail(context, code="spec_invalid", domain=plugin.Error.DOMAIN_CONFIG, field=f"/{key}",
                     message=f"{key} is unknown, missing or no integer")
        self.spec = spec
        log("info", "configured", invocation_id=request.invocation_id)
        return plugin.ConfigureResponse()

    def TestConnection(self, request, context):
        check = plugin.Check(name="make squares", outcome=plugin.Check.OUTCOME_PASSED, message="Numbers are at hand")
        return plugin.TestConnectionResponse(checks=[check])

    def ListTables(self, request, context):
        wanted = not request.names or TABLE.name in request.names
        return source.ListTablesResponse(tables=[TABLE] if wanted else [])

    def OpenRun(self, request, context):
        return source.OpenRunResponse(tables=[self.plan(asked, context) for asked in request.tables])

    def plan(self, asked, context):
        if asked.name != TABLE.name:
            fail(context, code="table_not_found", domain=plugin.Error.DOMAIN_SOURCE, table=asked.name,
                 message=f"There is no table {asked.name}")
        if asked.HasField("resume"):
            return asked.resume
        first, last = asked.state.cursor.int + 1, max(self.spec["rows"], asked.state.cursor.int)
        descriptor, end = json.dumps({"first": first, "last": last}), table.CursorValue(int=last)
        partition = source.Partition(id=f"{first}-{last}", descriptor=descriptor, estimated_rows=last - first + 1)
        return source.TablePlan(table=TABLE, partitions=[partition] if first <= last else [], upper_bound=end,
                                completed_state=source.TableState(cursor_column="n", cursor=end))

    def Read(self, requests, context):
        opened = next(requests).open
        # Commits are of no use here, but whoever leaves them unread stops Longshore once the stream's window is full.
        threading.Thread(target=self.drain, args=[requests], daemon=True).start()
        partition = json.loads(opened.partition.descriptor)
        n, emitted, sequence = int(opened.resume_from or partition["first"] - 1), 0, 0
        yield source.ReadResponse(schema=source.ReadSchema(arrow_schema=ARROW_SCHEMA))
        end = source.Checkpoint(position=opened.resume_from)
        while n < partition["last"]:
            limit = min(self.spec.get("batch_rows", 1000), opened.max_batch_rows or 1000)
            first, n = n + 1, min(n + limit, partition["last"])
            if not self.failed and first <= self.spec.get("fail_at", 0) <= n:
                self.failed = True
                fail(context, code="out_of_chalk", domain=plugin.Error.DOMAIN_SOURCE, retryable=True,
                     scope=plugin.Error.SCOPE_PARTITION, message="The chalk broke", table=TABLE.name)
            sequence, emitted = sequence + 1, emitted + n - first + 1
            data = rows(first, n).serialize().to_pybytes()
            yield source.ReadResponse(batch=table.RecordBatch(sequence=sequence, rows=n - first + 1, data=data))
            end = source.Checkpoint(sequence=sequence, position=str(n).encode(), cursor=table.CursorValue(int=n),
                                    counts=source.ReadCounts(read=emitted, emitted=emitted))
            yield source.ReadResponse(checkpoint=end)
        yield source.ReadResponse(done=source.ReadDone(end=end))

    def drain(self, requests):
        self.reading.add(id(requests))
        try:
            collections.deque(requests, maxlen=0)
        except grpc.RpcError:
            pass  # The stream is over.
        self.reading.discard(id(requests))

    def CloseRun(self, request, context):
        return source.CloseRunResponse()


SQUARES = Squares()
serve((plugin_grpc.add_PluginServicer_to_server, SQUARES), (source_grpc.add_SourceServicer_to_server, SQUARES))
