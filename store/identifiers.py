"""Names, texts and places in JSON as SQL writes them."""


def quoted(name: str) -> str:
    """An SQL identifier."""
    return '"' + name.replace('"', '""') + '"'


def literal(text: str) -> str:
    """A text of SQL."""
    return "'" + text.replace("'", "''") + "'"


def json_at(column: str, key: str) -> str:
    """SQL for what is under a key of a JSON column."""
    return f"({column} -> {literal(_pointer(key))})"


def text_at(column: str, key: str) -> str:
    """SQL for the text under a key of a JSON column, NULL where it is blank."""
    return f"nullif(trim(({column} ->> {literal(_pointer(key))})), '')"


def _pointer(key: str) -> str:
    return "/" + key.replace("~", "~0").replace("/", "~1")
