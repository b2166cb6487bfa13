"""What the front has to know about a statement before the engine runs it.

Statements are bytes: the data of an INSERT may follow in the same body, in any format.
"""

import re
from dataclasses import dataclass

from errors import ClickHouseError

TOKEN = re.compile(
    rb"""
    (?P<space> \s+ | --[^\n]* | \#[ !][^\n]* | /\*.*?\*/ )
    | (?P<heredoc> \$(?P<tag>\w*)\$ .*? \$(?P=tag)\$ )
    | (?P<string> '(?: [^'\\] | \\. | '' )*' )
    | (?P<quoted> `(?: [^`\\] | \\. | `` )*` | "(?: [^"\\] | \\. | "" )*" )
    | (?P<word> [^\W\d]\w* )
    | (?P<number> \d\w* )
    | (?P<mark> . )
    """,
    re.VERBOSE | re.DOTALL,
)

# Set by the front on every query, before what the client itself wrote there: it ties the engine's own query id to the client's.
TAG = "front:"
CLIENTS_QUERY_ID = (
    b"if(startsWith(Settings['log_comment'], 'front:'), unhex(extract(Settings['log_comment'], '^front:([0-9A-F]*)')), query_id)"
)


@dataclass(frozen=True)
class Token:
    """A word, a literal, a mark; white space and comments are none."""

    kind: str
    text: bytes
    start: int
    end: int

    @property
    def keyword(self):
        return self.text.upper() if self.kind == "word" else b""


def tokens(text):
    """Tokens as far as they are asked for: what follows the head of an INSERT is not SQL."""
    for found in TOKEN.finditer(text):
        kind = "heredoc" if found.lastgroup == "tag" else found.lastgroup
        if kind != "space":
            yield Token(kind, found.group(), found.start(), found.end())


def outer_tokens(text):
    """Tokens that are in no parentheses, brackets or braces."""
    depth = 0
    for token in tokens(text):
        if token.text in (b"(", b"[", b"{"):
            depth += 1
        elif token.text in (b")", b"]", b"}"):
            depth -= 1
        elif depth == 0:
            yield token


@dataclass(frozen=True)
class Insertion:
    """An INSERT whose data is not part of its SQL."""

    head: bytes
    """The statement without its FORMAT clause."""
    format: str
    data: bytes
    """What has arrived of the data."""


def first_keyword(text):
    """The word that a statement begins with, in upper case, for decisions and logs."""
    for token in tokens(text):
        if token.text != b"(":
            return token.keyword.decode()
    return ""


def insertion(text):
    """The parts of `INSERT INTO … FORMAT … data`; nothing for other statements, `INSERT … VALUES` among them."""
    if first_keyword(text) != "INSERT":
        return None
    selects = False
    outer = outer_tokens(text)
    for token in outer:
        if token.keyword == b"VALUES":
            return None
        if token.keyword in (b"SELECT", b"WITH"):
            selects = True
        if token.keyword != b"FORMAT":
            continue
        name = next(outer, None)
        if name is None or name.kind != "word":
            continue
        if selects:
            raise ClickHouseError("NOT_IMPLEMENTED", "INSERT … SELECT … FORMAT: the embedded engine ignores the data of input()")
        # One line break, or blanks up to one, ends the name of the format; what follows is data.
        ends = re.compile(rb"[ \t]*(?:\r?\n)?").match(text, name.end).end()
        return Insertion(text[: token.start].rstrip(), name.text.decode(), text[ends:])
    return None


def output_format(text):
    """The format that a statement itself asks for, and the statement without a `;` at its end."""
    outer = list(outer_tokens(text))
    if outer and outer[-1].text == b";":
        text = text[: outer.pop().start]
    for place in range(len(outer) - 2, -1, -1):
        token, name = outer[place], outer[place + 1]
        if token.keyword != b"FORMAT" or name.kind != "word":
            continue
        after = outer[place + 2] if place + 2 < len(outer) else None
        if after is None or after.keyword == b"SETTINGS":
            return name.text.decode(), text
    return None, text


def has_totals(text):
    """Whether a query may give more than rows: totals come apart from them."""
    words = [token.keyword for token in tokens(text)]
    return (b"WITH", b"TOTALS") in zip(words, words[1:])


def with_clients_query_ids(text):
    """The statement with the ids that clients gave their queries, in KILL QUERY and in what reads system.processes."""
    found = list(tokens(text))
    replaced = []
    if found and found[0].keyword == b"KILL":
        replaced = [(token.start, token.end, b"(" + CLIENTS_QUERY_ID + b")") for token in found if token.text.strip(b'`"') == b"query_id"]
    for first, dot, second in zip(found, found[1:], found[2:]):
        if (first.keyword, dot.text, second.keyword) == (b"SYSTEM", b".", b"PROCESSES"):
            processes = b"(SELECT * REPLACE(" + CLIENTS_QUERY_ID + b" AS query_id) FROM system.processes)"
            replaced.append((first.start, second.end, processes))
    for start, end, text_there in sorted(replaced, reverse=True):
        text = text[:start] + text_there + text[end:]
    return text


def tagged(query_id, comment):
    """The value of `log_comment` that carries a client's query id."""
    return f"{TAG}{query_id.encode().hex().upper()} {comment}"
