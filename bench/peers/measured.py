"""What all programs here have in common: their arguments, and the one line that they print."""

import argparse
import json
import time
from collections.abc import Callable


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    parser.add_argument("--connection", required=True, help="postgresql://user:password@host:port/database")
    parser.add_argument("--table", required=True)
    parser.add_argument("--endpoint", help="http://host:port that takes calls as Batch's API does")
    return parser.parse_args()


def report(work: Callable[[], int]) -> None:
    """Does the work, which gives the number of rows, and prints rows and seconds."""
    started = time.perf_counter()
    rows = work()
    print(json.dumps({"rows": rows, "seconds": time.perf_counter() - started}))
