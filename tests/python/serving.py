"""What a plugin in any role needs: flags, the socket, logs, typed errors, and an end in time. See plugin.proto."""
import argparse, json, os, signal, sys, threading
from concurrent.futures import ThreadPoolExecutor
import grpc
from longshore.plugin.v1 import plugin_pb2 as plugin

LEVELS = ["trace", "debug", "info", "warn", "error"]
# Without this, gRPC refuses messages over 4 MiB; Longshore's may have 16.
OPTIONS = [("grpc.max_receive_message_length", 16 * 1024 * 1024)]


def log(level, message, **fields):
    if LEVELS.index(level) >= LEVELS.index(FLAGS.log_level):
        print(json.dumps({"level": level, "message": message} | fields), file=sys.stderr, flush=True)


def fail(context, scope=plugin.Error.SCOPE_RUN, **error):
    """Ends a call with a typed error: a status, and the error itself in a trailer."""
    error = plugin.Error(scope=scope, **error)
    status = grpc.StatusCode.UNAVAILABLE if error.retryable else grpc.StatusCode.FAILED_PRECONDITION
    context.set_trailing_metadata([("longshore-error-bin", error.SerializeToString())])
    context.abort(status, error.message)


def serve(*services):
    """Serves until told to stop. A service is its generated `add_…_to_server` and what implements it."""
    server, stop = grpc.server(ThreadPoolExecutor(32), options=OPTIONS), threading.Event()
    for add, servicer in services:
        add(servicer, server)
    server.add_insecure_port(f"unix:{FLAGS.address}" if FLAGS.network == "unix" else FLAGS.address)
    for reason in (signal.SIGTERM, signal.SIGINT):
        signal.signal(reason, lambda *_: stop.set())
    if FLAGS.network == "unix":  # Longshore holds the other end of standard input: its end is Longshore's.
        threading.Thread(target=lambda: (sys.stdin.buffer.read(), stop.set()), daemon=True).start()
    server.start()
    stop.wait()
    server.stop(grace=1).wait()
    os._exit(0)  # Threads that still wait for somebody must not hold the process up.


PARSER = argparse.ArgumentParser()
SERVE = PARSER.add_subparsers(required=True).add_parser("serve")
SERVE.add_argument("--network", choices=["unix", "tcp"], default="tcp")
SERVE.add_argument("--address", default="127.0.0.1:7777")
SERVE.add_argument("--log-level", choices=LEVELS, default="info")
SERVE.add_argument("--log-format", choices=["json"], default="json")
FLAGS = PARSER.parse_args()
