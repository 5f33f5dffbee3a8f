"""What a shop with real customers shouldn't run with, and why: one row for each risk."""

from collections.abc import Iterator, Mapping
from ipaddress import ip_network
from urllib.parse import urlsplit

Told = Mapping[str, str]

_WEAK_WORDS = ("secret", "change", "example", "sandbox", "password", "test", "12345")
_FEWEST_CHARACTERS = 12
_WIDEST_PREFIX = {4: 8, 6: 32}


def risks(told: Told) -> Iterator[tuple[str, str]]:
    """Yield variable and reason. ``told`` has the text of every variable, defaults included, and
    an empty one for nothing."""
    for name, value, reason in _VALUES:
        if told[name].lower() == value:
            yield name, reason
    for name in ("PUBLIC_URL", "RUNPOD_API_URL", "STRIPE_API_URL", "LULU_API_URL"):
        if urlsplit(told[name]).scheme == "http":
            yield name, "goes over http: what is sent can be read and changed on its way"
    for name in ("APP_SECRET", "RUNPOD_WEBHOOK_TOKEN", "DESK_SECRET"):
        if any(_guessable(secret) for secret in told[name].split()) or _has_words(told[name]):
            yield name, "looks made up by hand: take 32 random bytes"
    yield from _storage(told)
    yield from _selling(told)
    yield from _letters_and_print(told)
    if _wide_open(told["TRUSTED_PROXIES"]):
        yield (
            "TRUSTED_PROXIES",
            "trusts so many addresses that callers can name any address as theirs",
        )
    for name in (each for each in told if each.startswith("RATE_")):
        if told[name] == "off":
            yield name, "is off: nothing limits what one caller does"


_VALUES = (
    ("MAIL", "outbox", "letters are files in a folder: no parent gets one"),
    ("PRINT_VENDOR", "file_drop", "books are files in a folder: somebody must print them"),
    ("PAGE_LOOK", "draft", "pages are drafts, and say so in print"),
    ("ALLOW_TEST_PAYMENTS", "true", "payments of no money make books"),
    ("CONSENT_REQUIRED", "false", "photos are taken without a named consent"),
    ("GPU_BUDGET_PAGES", "0", "nothing limits what previews cost in an hour"),
    ("LOG_LEVEL", "debug", "logs are long"),
)


def _guessable(secret: str) -> bool:
    return len(set(secret)) < _FEWEST_CHARACTERS


def _has_words(secret: str) -> bool:
    return any(word in secret.lower() for word in _WEAK_WORDS)


def _storage(told: Told) -> Iterator[tuple[str, str]]:
    if told["DATABASE_URL"].startswith("sqlite"):
        if told["KV_URL"]:
            yield (
                "DATABASE_URL",
                "is SQLite, and KV_URL is for several gateways: these need PostgreSQL",
            )
        else:
            yield "DATABASE_URL", "is SQLite: every gateway must run on this one machine"
    if told["OBJECT_STORE_URL"].startswith("file:"):
        yield "OBJECT_STORE_URL", "is a folder of this machine, which workers elsewhere can't read"


def _selling(told: Told) -> Iterator[tuple[str, str]]:
    if told["STRIPE_API_KEY"].startswith(("sk_test_", "rk_test_")):
        yield "STRIPE_API_KEY", "is a test key: nobody pays"
    if not told["STRIPE_API_KEY"] and not told["SHOPIFY_CLIENT_SECRETS"]:
        yield "STRIPE_API_KEY", "neither this nor SHOPIFY_CLIENT_SECRETS is set: nothing is sold"
    if told["RUNPOD_API_KEY"] and not told["RUNPOD_API_KEY"].startswith("rpa_"):
        yield "RUNPOD_API_KEY", "doesn't look like a key of RunPod's (rpa_…)"


def _letters_and_print(told: Told) -> Iterator[tuple[str, str]]:
    if told["MAIL"] == "smtp" and "starttls=never" in told["SMTP_URL"]:
        yield "SMTP_URL", "sends letters, with names in them, over a line without TLS"
    if told["PRINT_VENDOR"] != "lulu":
        return
    if "sandbox" in (urlsplit(told["LULU_API_URL"]).hostname or ""):
        yield "LULU_API_URL", "is Lulu's sandbox, which prints nothing"
    if told["PRINT_CONTACT_EMAIL"].endswith(".invalid"):
        yield "PRINT_CONTACT_EMAIL", "is made up: what the printer writes reaches nobody"


def _wide_open(networks: str) -> bool:
    for part in networks.replace(",", " ").split():
        try:
            network = ip_network(part)
        except ValueError:
            continue  # that is a fault of its own
        if network.prefixlen < _WIDEST_PREFIX[network.version]:
            return True
    return False
