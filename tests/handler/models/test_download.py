"""One file from a server that cuts, lies, refuses, redirects and changes its mind."""

import hashlib
import json
import os
import stat
from datetime import UTC, datetime
from pathlib import Path

import pytest

from handler.errors import DownloadFailed
from handler.models.download import Downloader, Target
from handler.models.part_file import PartFile, lies_at
from tests.handler.models.shelf import (
    Shelf,
    cut,
    honest,
    lie,
    say,
    swap,
    without_length,
    wrong_part,
)

PATH = "/org/model/resolve/abc/w.safetensors"
DATA = bytes(range(256)) * 4000
SHA256 = hashlib.sha256(DATA).hexdigest()
NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
CHUNK = 64 * 1024
HALF = 8 * CHUNK


class Client:
    """A downloader whose pauses take no time."""

    def __init__(self, shelf: Shelf, folder: Path, tokens: dict[str, str] | None = None) -> None:
        shelf.files.setdefault(PATH, DATA)
        self.shelf = shelf
        self.place = folder / "vae/w.safetensors"
        self.pauses: list[float] = []
        self.seen: list[int] = []
        self._downloader = Downloader(
            tokens or {}, wait=self.pauses.append, now=lambda: NOW, tries=4
        )

    def fetch(self, size: int | None = len(DATA), sha256: str = SHA256, path: str = PATH) -> None:
        target = Target("vae/w", self.shelf.url(path), sha256, size, self.place)
        self._downloader.fetch(target, self.seen.append)

    @property
    def files(self) -> list[str]:
        return sorted(path.name for path in self.place.parent.iterdir())


@pytest.fixture
def client(shelf: Shelf, tmp_path: Path) -> Client:
    return Client(shelf, tmp_path)


def test_a_file_comes_whole_and_leaves_nothing_beside_it(client: Client) -> None:
    client.fetch()
    assert client.place.read_bytes() == DATA
    assert client.files == ["w.safetensors"]
    assert client.seen[0] == 0
    assert client.seen == sorted(client.seen)
    assert client.seen[-1] == len(DATA)
    status = client.place.stat()
    assert status.st_mtime_ns % 1_000_000_000 == 0
    assert stat.S_IMODE(status.st_mode) & 0o444 == 0o644 & ~_umask() & 0o444


def _umask() -> int:
    found = os.umask(0)
    os.umask(found)
    return found


def test_a_cut_connection_is_taken_up_where_it_broke(client: Client) -> None:
    client.shelf.tell(PATH, cut(HALF), cut(CHUNK))
    client.fetch()
    assert client.place.read_bytes() == DATA
    assert client.shelf.ranges(PATH) == [None, f"bytes={HALF}-", f"bytes={HALF + CHUNK}-"]
    assert len(client.pauses) == 2
    assert 0 < client.pauses[0] <= 1 < client.pauses[1] <= 2


def test_a_server_that_always_cuts_is_given_up_and_what_came_is_kept(client: Client) -> None:
    client.shelf.tell(PATH, *[cut(CHUNK)] * 4)
    with pytest.raises(DownloadFailed, match=r"127\.0\.0\.1 .*breaks off, 4 times in a row"):
        client.fetch()
    assert len(client.shelf.asked) == 4
    assert not client.place.exists()
    client.fetch()
    assert client.shelf.ranges(PATH)[-1] == f"bytes={4 * CHUNK}-"
    assert client.place.read_bytes() == DATA


def test_a_length_that_is_too_long_is_a_cut(client: Client) -> None:
    client.shelf.tell(PATH, lie(len(DATA) + 7))
    client.fetch(size=None)
    assert client.place.read_bytes() == DATA
    assert client.shelf.ranges(PATH) == [None, f"bytes={len(DATA) // CHUNK * CHUNK}-"]


def test_a_length_that_is_too_short_gives_no_file(client: Client) -> None:
    client.shelf.tell(PATH, lie(1000))
    with pytest.raises(DownloadFailed, match="another file than the list says"):
        client.fetch(size=None)
    assert not client.place.exists()


@pytest.mark.parametrize("told", [len(DATA) - 7, len(DATA) + 7])
def test_another_size_than_the_lists_is_refused_before_a_byte_is_taken(
    client: Client, told: int
) -> None:
    client.shelf.tell(PATH, lie(told))
    with pytest.raises(DownloadFailed, match=f"a file of {told} bytes, and the list says"):
        client.fetch()
    assert client.seen == [0]
    assert client.pauses == []


def test_a_source_that_does_not_stop_is_stopped(client: Client) -> None:
    client.shelf.tell(PATH, without_length(DATA + b"more"))
    with pytest.raises(DownloadFailed, match=f"more than {len(DATA)} bytes"):
        client.fetch()
    assert not client.place.exists()


def test_a_file_without_told_length_and_size_will_do_if_its_hash_is_right(client: Client) -> None:
    client.shelf.tell(PATH, without_length(DATA))
    client.fetch(size=None)
    assert client.place.read_bytes() == DATA


def test_wrong_bytes_are_not_kept_nor_asked_for_again(client: Client) -> None:
    wrong = DATA[:-1] + b"!"
    client.shelf.files[PATH] = wrong
    found = hashlib.sha256(wrong).hexdigest()
    with pytest.raises(DownloadFailed, match=f"another file .* its SHA-256 is {found}"):
        client.fetch()
    assert len(client.shelf.asked) == 1
    assert not client.place.exists()
    assert [p.stat().st_size for p in client.place.parent.glob(".*.part")] == [0]


def test_a_file_that_is_there_stays_until_the_new_one_is_right(client: Client) -> None:
    client.place.parent.mkdir(parents=True)
    client.place.write_bytes(b"old")
    client.shelf.tell(PATH, say(404))
    with pytest.raises(DownloadFailed, match="has no such file"):
        client.fetch()
    assert client.place.read_bytes() == b"old"
    client.fetch()
    assert client.place.read_bytes() == DATA


def test_a_file_that_changed_between_two_tries_is_begun_anew(client: Client) -> None:
    old = b"x" * len(DATA)
    client.shelf.files[PATH] = old
    client.shelf.tell(PATH, cut(HALF), swap(DATA, honest))
    client.fetch()
    assert client.place.read_bytes() == DATA
    assert [status is None for status in client.shelf.ranges(PATH)] == [True, False]


def test_bytes_of_two_files_are_found_out_and_fetched_once_more(client: Client) -> None:
    """A server without validators can't say that the file is another by now."""
    client.place.parent.mkdir(parents=True)
    with PartFile(client.place, SHA256) as part:
        part.restart("")
        part.append(b"x" * HALF)
    client.fetch()
    assert client.place.read_bytes() == DATA
    assert client.shelf.ranges(PATH) == [f"bytes={HALF}-", None]


def test_another_part_than_was_asked_for_is_not_taken(client: Client) -> None:
    client.shelf.tell(PATH, cut(HALF), wrong_part)
    client.fetch()
    assert client.place.read_bytes() == DATA
    assert client.shelf.ranges(PATH) == [None, f"bytes={HALF}-", None]


def test_a_part_that_is_longer_than_the_file_by_now_is_begun_anew(client: Client) -> None:
    client.shelf.tell(PATH, cut(HALF), say(416))
    client.fetch()
    assert client.shelf.ranges(PATH) == [None, f"bytes={HALF}-", None]
    assert client.place.read_bytes() == DATA


def test_a_part_of_another_version_is_not_gone_on_with(client: Client) -> None:
    client.place.parent.mkdir(parents=True)
    with PartFile(client.place, "0" * 64) as part:
        part.restart('"old"')
        part.append(b"x" * 10)
    client.fetch()
    assert client.shelf.ranges(PATH) == [None]


@pytest.mark.parametrize("note", ["", "[]", '{"sha256": "SHA", "validator": 3}'])
def test_a_damaged_note_costs_the_bytes_so_far(client: Client, note: str) -> None:
    client.place.parent.mkdir(parents=True)
    (client.place.parent / ".w.safetensors.part").write_bytes(b"x" * 10)
    text = note.replace("SHA", SHA256)
    (client.place.parent / ".w.safetensors.part.json").write_text(text)
    client.fetch()
    assert client.shelf.ranges(PATH) == [None]


def test_a_whole_part_needs_only_its_name(client: Client) -> None:
    client.place.parent.mkdir(parents=True)
    with PartFile(client.place, SHA256) as part:
        part.restart('"v"')
        part.append(DATA)
    client.fetch()
    assert client.shelf.asked == []
    assert client.place.read_bytes() == DATA


@pytest.mark.parametrize("status", [408, 425, 429, 500, 502, 503, 504])
def test_what_may_pass_is_tried_again(client: Client, status: int) -> None:
    client.shelf.tell(PATH, say(status), say(status))
    client.fetch()
    assert client.place.read_bytes() == DATA
    assert len(client.shelf.asked) == 3


@pytest.mark.parametrize(
    ("told", "seconds"),
    [("7", 7), ("Fri, 02 Jan 2026 03:05:05 GMT", 60), ("86400", 300)],
)
def test_the_server_says_how_long_to_wait(client: Client, told: str, seconds: float) -> None:
    client.shelf.tell(PATH, say(429, Retry_After=told))
    client.fetch()
    assert client.pauses == [seconds]


@pytest.mark.parametrize("told", ["soon", "-5", "Fri, 02 Jan 2026 03:05:05", ""])
def test_a_wait_that_makes_no_sense_is_left_to_us(client: Client, told: str) -> None:
    client.shelf.tell(PATH, say(503, Retry_After=told))
    client.fetch()
    [pause] = client.pauses
    assert 0 < pause <= 1


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (401, "wants a token: set HF_TOKEN"),
        (403, "accept the licence on the model's page"),
        (404, "has no such file"),
        (410, "has no such file"),
        (418, "answers 418"),
    ],
)
def test_what_does_not_pass_is_said_at_once(client: Client, status: int, expected: str) -> None:
    client.shelf.tell(PATH, say(status))
    with pytest.raises(DownloadFailed, match=expected):
        client.fetch()
    assert len(client.shelf.asked) == 1


def test_no_error_tells_more_of_the_url_than_its_host(client: Client) -> None:
    path = f"{PATH}?signature=secret"
    for answer in (say(404), say(500), cut(5)):
        client.shelf.files[path] = DATA
        client.shelf.tell(path, *[answer] * 4)
        with pytest.raises(DownloadFailed) as failure:
            client.fetch(path=path)
        assert "secret" not in str(failure.value)
        assert PATH not in str(failure.value)
        client.shelf.answers[path].clear()


def test_an_encoded_answer_is_refused(client: Client) -> None:
    client.shelf.tell(PATH, say(200, Content_Encoding="gzip"))
    with pytest.raises(DownloadFailed, match="sends it encoded"):
        client.fetch()


def test_a_token_goes_to_its_host_and_not_where_that_redirects(
    shelf: Shelf, other: Shelf, tmp_path: Path
) -> None:
    other.files["/cdn"] = DATA
    client = Client(shelf, tmp_path, {shelf.origin: "hf_secret"})
    shelf.tell(PATH, say(307, Location="/elsewhere"))
    shelf.tell("/elsewhere", say(302, Location=other.url("/cdn")))
    client.fetch()
    assert client.place.read_bytes() == DATA
    assert shelf.tokens(PATH) == shelf.tokens("/elsewhere") == ["Bearer hf_secret"]
    assert other.tokens("/cdn") == [None]


def test_a_token_is_not_sent_to_a_host_that_it_is_not_for(
    shelf: Shelf, other: Shelf, tmp_path: Path
) -> None:
    client = Client(shelf, tmp_path, {other.origin: "hf_secret"})
    client.fetch()
    assert shelf.tokens(PATH) == [None]


def test_a_token_comes_back_to_nobody_by_way_of_another_host(
    shelf: Shelf, other: Shelf, tmp_path: Path
) -> None:
    client = Client(shelf, tmp_path, {other.origin: "hf_secret"})
    other.files["/cdn"] = DATA
    shelf.tell(PATH, say(302, Location=other.url("/cdn")))
    client.fetch()
    assert other.tokens("/cdn") == [None]


def test_a_refused_token_is_named_but_never_shown(shelf: Shelf, tmp_path: Path) -> None:
    client = Client(shelf, tmp_path, {shelf.origin: "hf_secret"})
    shelf.tell(PATH, say(401))
    with pytest.raises(DownloadFailed, match="doesn't know the token in HF_TOKEN") as failure:
        client.fetch()
    assert "hf_secret" not in str(failure.value)


def test_netrc_is_not_asked(
    client: Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login me password secret\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    client.fetch()
    assert client.shelf.tokens(PATH) == [None]


def test_redirects_have_an_end(client: Client) -> None:
    client.shelf.tell(PATH, *[say(302, Location=PATH)] * 20)
    with pytest.raises(DownloadFailed, match="redirects without end"):
        client.fetch()
    assert len(client.shelf.asked) == 6


def test_a_redirect_to_another_scheme_is_refused(client: Client) -> None:
    client.shelf.tell(PATH, say(302, Location="file:///etc/passwd"))
    with pytest.raises(DownloadFailed, match="another scheme"):
        client.fetch()


def test_a_file_is_fetched_by_one_process_at_a_time(client: Client) -> None:
    client.place.parent.mkdir(parents=True)
    with PartFile(client.place, SHA256) as part:
        part.restart("")
        with pytest.raises(DownloadFailed, match="another process is fetching it"):
            client.fetch()
    client.fetch()
    assert client.place.read_bytes() == DATA


def test_a_file_that_another_process_finished_meanwhile_is_not_taken_for_the_part(
    tmp_path: Path,
) -> None:
    part = tmp_path / ".w.part"
    with part.open("a+b") as stream:
        assert lies_at(stream, part)
        part.rename(tmp_path / "w")
        assert not lies_at(stream, part)
        part.touch()
        assert not lies_at(stream, part)


def test_a_disk_that_refuses_is_said(client: Client, tmp_path: Path) -> None:
    (tmp_path / "vae").write_text("a file, where a folder should be")
    with pytest.raises(DownloadFailed, match="the disk won't have it"):
        client.fetch()


def test_the_note_holds_no_url(client: Client) -> None:
    client.shelf.tell(PATH, *[cut(10)] * 4)
    with pytest.raises(DownloadFailed):
        client.fetch()
    note = json.loads((client.place.parent / ".w.safetensors.part.json").read_text())
    assert set(note) == {"sha256", "validator"}


def test_tries_begin_anew_when_much_came(shelf: Shelf, tmp_path: Path) -> None:
    data = bytes(1024) * (8 * 1024 * 5 + 1)
    shelf.files[PATH] = data
    client = Client(shelf, tmp_path)
    shelf.tell(PATH, *[cut(8 * 1024 * 1024)] * 5)
    client.fetch(size=len(data), sha256=hashlib.sha256(data).hexdigest())
    assert client.place.stat().st_size == len(data)
    assert len(client.pauses) == 5
    assert all(pause <= 1 for pause in client.pauses)
