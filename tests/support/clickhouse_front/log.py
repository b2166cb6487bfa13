"""Lines on standard error. What a query says, and what its result holds, stay out of them."""

import sys
import threading
import time

LOCK = threading.Lock()


def log(event, **fields):
    """One line: when, what, and names with numbers or words."""
    shown = " ".join(f"{name}={value}" for name, value in fields.items() if value != "")
    line = f"{time.strftime('%Y-%m-%dT%H:%M:%SZ', time.gmtime())} {event} {shown}\n"
    with LOCK:
        sys.stderr.write(line)
        sys.stderr.flush()
