"""What went wrong, as a ClickHouse server tells it to its HTTP clients."""

import re

# The HTTP status by the error's name, as in ClickHouse's src/Server/HTTP/exceptionCodeToHTTPStatus.cpp.
NAMES_BY_STATUS = {
    400: """BAD_ARGUMENTS CANNOT_COMPILE_REGEXP CANNOT_PARSE_TEXT CANNOT_PARSE_ESCAPE_SEQUENCE CANNOT_PARSE_QUOTED_STRING
        CANNOT_PARSE_DATE CANNOT_PARSE_DATETIME CANNOT_PARSE_NUMBER CANNOT_PARSE_DOMAIN_VALUE_FROM_STRING CANNOT_PARSE_IPV4
        CANNOT_PARSE_IPV6 CANNOT_PARSE_UUID CANNOT_PARSE_INPUT_ASSERTION_FAILED DUPLICATE_COLUMN ILLEGAL_COLUMN
        UNKNOWN_ELEMENT_IN_AST UNKNOWN_TYPE_OF_AST_NODE THERE_IS_NO_COLUMN TOO_DEEP_AST TOO_BIG_AST UNEXPECTED_AST_STRUCTURE
        SYNTAX_ERROR INCORRECT_DATA TYPE_MISMATCH VALUE_IS_OUT_OF_RANGE_OF_DATA_TYPE""",
    401: "REQUIRED_PASSWORD",
    403: "UNKNOWN_USER WRONG_PASSWORD AUTHENTICATION_FAILED SET_NON_GRANTED_ROLE ACCESS_DENIED",
    404: """UNKNOWN_TABLE UNKNOWN_FUNCTION UNKNOWN_IDENTIFIER UNKNOWN_TYPE UNKNOWN_STORAGE UNKNOWN_DATABASE UNKNOWN_SETTING
        UNKNOWN_DIRECTION_OF_SORTING UNKNOWN_AGGREGATE_FUNCTION UNKNOWN_FORMAT UNKNOWN_DATABASE_ENGINE UNKNOWN_TYPE_OF_QUERY
        UNKNOWN_ROLE""",
    408: "TIMEOUT_EXCEEDED",
    411: "HTTP_LENGTH_REQUIRED",
    413: "QUERY_IS_TOO_LARGE",
    415: "UNSUPPORTED_MEDIA_TYPE",
    501: "NOT_IMPLEMENTED",
    503: "SOCKET_TIMEOUT CANNOT_OPEN_FILE CANNOT_SCHEDULE_TASK",
}
STATUS_BY_NAME = {name: status for status, names in NAMES_BY_STATUS.items() for name in names.split()}
STATUS_OF_OTHERS = 500

# Numbers of the errors that the front itself gives.
CODE_BY_NAME = {
    "BAD_ARGUMENTS": 36,
    "NOT_IMPLEMENTED": 48,
    "LOGICAL_ERROR": 49,
    "SYNTAX_ERROR": 62,
    "UNKNOWN_SETTING": 115,
    "QUERY_WITH_SAME_ID_IS_ALREADY_RUNNING": 216,
    "SESSION_IS_LOCKED": 373,
    "AUTHENTICATION_FAILED": 516,
    "STD_EXCEPTION": 1001,
}


class ClickHouseError(Exception):
    """An error with the number and the name that a server gives it."""

    def __init__(self, name, text, code=None):
        super().__init__(text)
        self.name = name
        self.code = CODE_BY_NAME[name] if code is None else code
        self.text = text

    @classmethod
    def of_engine(cls, error):
        """The engine raises texts: `Code: 60. DB::Exception: what. (UNKNOWN_TABLE)`."""
        found = re.fullmatch(r"Code: (\d+)\. DB::\w*Exception: (.*) \((\w+)\)(?: \(version [^()]*\))?\s*", str(error), re.DOTALL)
        if found is None:
            return cls("STD_EXCEPTION", str(error))
        return cls(found.group(3), found.group(2), int(found.group(1)))

    @property
    def status(self):
        """The HTTP status of an answer that has not begun."""
        return STATUS_BY_NAME.get(self.name, STATUS_OF_OTHERS)

    def message(self, version):
        """The whole text, with the line break at its end that a server sends too."""
        return f"Code: {self.code}. DB::Exception: {self.text} ({self.name}) (version {version} (official build))\n".encode()
