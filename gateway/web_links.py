"""Links that others give us, and that we pass on to people."""

from collections.abc import Iterable
from urllib.parse import urlsplit

_LONGEST = 2048


def is_web_link(text: str) -> bool:
    """Whether ``text`` is an absolute http or https URL that is safe in a letter or a page: of
    printable ASCII, without quotes, angle brackets or spaces, and without a user's name in it."""
    if not (text.isascii() and text.isprintable() and len(text) <= _LONGEST):
        return False
    if any(character in " \"'<>\\^`{|}" for character in text):
        return False
    try:
        parts = urlsplit(text)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and not parts.username
    except ValueError:
        return False


def web_links(values: Iterable[object]) -> tuple[str, ...]:
    """The web links among ``values``, each once, in their order."""
    texts = (value.strip() for value in values if isinstance(value, str))
    return tuple(dict.fromkeys(text for text in texts if is_web_link(text)))
