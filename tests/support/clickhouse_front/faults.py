"""Faults on demand: what a server or a network does at its worst, at a place in the answer that a test chooses."""

import json
import threading
from dataclasses import dataclass

from errors import ClickHouseError

KINDS = {
    "refuse": "an error before the first byte of the answer",
    "exception": "an error in mid-stream, instead of the first chunk that would go past `after_bytes`",
    "cut": "the connection ends after exactly `after_bytes` of the body",
    "truncate": "the body is properly ended after exactly `after_bytes`",
    "end_early": "the body is properly ended before the first chunk that would go past `after_bytes`: whole messages, but no end of an Arrow stream",
}

FORMS = {
    "tagged": "since 25.11: a block between markers, with the tag of a header; then the connection is cut",
    "marked": "24.11 to 25.10: the text after a marker; then the connection is cut",
    "plain": "before 24.11: the bare text; the body is properly ended",
}


@dataclass
class Rule:
    """A fault for the next `times` queries whose text contains `match`."""

    kind: str
    match: str = ""
    times: int = 1
    after_bytes: int = 0
    form: str = "tagged"
    code: int = 241
    name: str = "MEMORY_LIMIT_EXCEEDED"
    text: str = "(total) memory limit exceeded: a test asked for this error."

    def __post_init__(self):
        if self.kind not in KINDS or self.form not in FORMS:
            raise ValueError(f"kind is one of {', '.join(KINDS)}; form is one of {', '.join(FORMS)}")
        self.taken = self.fired = 0

    def error(self):
        return ClickHouseError(self.name, self.text, self.code)

    def shown(self):
        return {"kind": self.kind, "match": self.match, "times": self.times, "fired": self.fired}


class Faults:
    """The rules that hold now, and how often each has fired."""

    def __init__(self):
        self.lock = threading.Lock()
        self.rules = []

    def replace(self, body):
        """Takes `{"rules": […]}` in place of what held. Raises ValueError, KeyError or TypeError for anything else."""
        rules = [Rule(**rule) for rule in json.loads(body)["rules"]]
        with self.lock:
            self.rules = rules

    def clear(self):
        """Removes the rules and tells how often each has fired."""
        with self.lock:
            removed, self.rules = self.rules, []
            return [rule.shown() for rule in removed]

    def shown(self):
        with self.lock:
            return [rule.shown() for rule in self.rules]

    def take(self, statement):
        """The fault for a query, or nothing. To be given back when the query has ended."""
        with self.lock:
            for rule in self.rules:
                if rule.taken < rule.times and rule.match.encode() in statement:
                    rule.taken += 1
                    return Fault(rule, self.lock)
        return None

    def give_back(self, fault):
        """A fault that did not come to fire is there for the next query."""
        with self.lock:
            if not fault.fired:
                fault.rule.taken -= 1


class Fault:
    """A rule as it holds for one query."""

    def __init__(self, rule, lock):
        self.rule = rule
        self.lock = lock
        self.fired = False

    def fire(self):
        with self.lock:
            self.fired = True
            self.rule.fired += 1
