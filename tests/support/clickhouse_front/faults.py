"""Faults on demand: what a server or a network does at its worst, at a place in the answer that a test chooses."""

import itertools
import json
import threading
from dataclasses import dataclass

from errors import ClickHouseError

KINDS = {
    "refuse": "an error before the first byte of the answer",
    "exception": "an error in mid-stream, instead of the first chunk that would go past `after_bytes`",
    "cut": "the connection ends after exactly `after_bytes` of the body",
    "stall": "nothing comes after exactly `after_bytes` of the body, until the client goes",
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
    """A fault for the next `times` queries whose text contains `match`, of those that name `database` as theirs if that is given."""

    kind: str
    match: str = ""
    database: str = ""
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

    def holds_for(self, statement, database):
        return self.taken < self.times and self.match.encode() in statement and self.database in ("", database)

    def error(self):
        return ClickHouseError(self.name, self.text, self.code)

    def shown(self):
        return {"kind": self.kind, "match": self.match, "database": self.database, "times": self.times, "fired": self.fired}


class Faults:
    """The rules that hold now, by their number, and how often each has fired. Earlier rules go first."""

    def __init__(self):
        self.lock = threading.Lock()
        self.rules = {}
        self.numbers = itertools.count(1)

    def add(self, body):
        """Takes a rule as JSON and gives its number. Raises ValueError or TypeError for anything else."""
        rule = Rule(**json.loads(body))
        with self.lock:
            number = next(self.numbers)
            self.rules[number] = rule
        return number

    def remove(self, number):
        """Removes a rule and tells how often it has fired; nothing when there is none of this number."""
        with self.lock:
            rule = self.rules.pop(number, None)
            return None if rule is None else rule.shown()

    def shown(self):
        with self.lock:
            return {number: rule.shown() for number, rule in self.rules.items()}

    def take(self, statement, database):
        """The fault for a query, or nothing. To be given back when the query has ended."""
        with self.lock:
            for rule in self.rules.values():
                if rule.holds_for(statement, database):
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
