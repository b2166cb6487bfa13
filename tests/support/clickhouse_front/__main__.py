"""Starts the front, says where it listens, and ends with whoever started it."""

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

PASSWORD_VARIABLE = "LONGSHORE_CLICKHOUSE_FRONT_PASSWORD"


def arguments():
    parser = argparse.ArgumentParser(prog="clickhouse_front", description="The ClickHouse engine behind the HTTP interface of a server.")
    parser.add_argument("--port", type=int, default=0, help="on 127.0.0.1; 0 takes a free one")
    parser.add_argument("--user", default="default", help=f"the only user; the password is taken from {PASSWORD_VARIABLE}")
    parser.add_argument("--exception-form", choices=("tagged", "marked", "plain"), default="tagged", help="how an error in mid-stream is told")
    parser.add_argument("--log-to-folder", action="store_true", help="log into the private folder, once the front has started")
    parser.add_argument("--exit-with-stdin", action="store_true", help="end when standard input ends")
    return parser.parse_args()


def private_folder():
    """A new folder. A small process removes it when this one has ended, however that happened."""
    folder = Path(tempfile.mkdtemp(prefix="longshore-clickhouse-"))
    script = 'read -r _; rm -rf -- "$1"'
    watcher = subprocess.Popen(
        ["/bin/sh", "-c", script, "sh", folder], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, cwd="/", start_new_session=True
    )
    return folder, watcher


def started(options, folder):
    """The front, over a data directory in the folder."""
    try:
        from server import Front
    except ImportError as error:
        sys.exit(f"{error}: `cargo xtask python` makes an environment with the packages of tests/python/requirements.txt")
    password = os.environ.get(PASSWORD_VARIABLE, "")
    return Front(("127.0.0.1", options.port), folder / "data", options.user, password, options.exception_form)


def end(*_):
    # Not an orderly exit: threads may be inside the engine, and nothing of this process outlives it.
    os._exit(0)


def end_with_standard_input():
    while os.read(0, 1 << 12):
        pass
    end()


def main():
    options = arguments()
    signal.signal(signal.SIGTERM, end)
    signal.signal(signal.SIGINT, end)
    if options.exit_with_stdin:
        threading.Thread(target=end_with_standard_input, daemon=True).start()
    # The zone of the machine is nobody's business; the engine reads it when it is loaded.
    os.environ["TZ"] = "UTC"
    folder, _watcher = private_folder()
    front = started(options, folder)
    log = folder / "log"
    if options.log_to_folder:
        # The engine's own words go there too, should it crash.
        os.dup2(os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), 2)
    address = f"127.0.0.1:{front.server_address[1]}"
    sys.stdout.write(json.dumps({"address": address, "version": front.engine.version, "log": str(log)}) + "\n")
    sys.stdout.flush()
    front.serve_forever()


main()
