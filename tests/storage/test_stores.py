"""One suite for every object store: a folder, and a bucket of a real S3 API server."""

import hashlib
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from moto.server import ThreadedMotoServer

from storage.errors import (
    InvalidKey,
    ObjectNotFound,
    ObjectTooLarge,
    StoreError,
    StoreFull,
    StoreRefused,
    StoreUnavailable,
)
from storage.folder import FolderStore
from storage.open import open_store
from storage.s3 import S3Store, connect

Store = FolderStore | S3Store
LIMIT = 1_000_000


@pytest.fixture(scope="module")
def s3_endpoint() -> Iterator[str]:
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture(params=["folder", "s3"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    if request.param == "folder":
        yield FolderStore(tmp_path / "store")
        return
    with closing(s3_client(request.getfixturevalue("s3_endpoint"))) as client:
        bucket = "b" + hashlib.sha256(str(tmp_path).encode()).hexdigest()[:20]
        client.create_bucket(
            Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": "eu-central-1"}
        )
        yield S3Store(client, bucket)


def s3_client(endpoint: str):  # type: ignore[no-untyped-def]  # the stubs' client type is huge
    return connect(
        endpoint_url=endpoint,
        region="eu-central-1",
        access_key_id="key",
        secret_access_key="secret",
    )


def test_what_was_put_is_got(store: Store) -> None:
    store.put("pages/o1/page_01.png", b"\x89PNG", "image/png")
    assert store.exists("pages/o1/page_01.png")
    assert store.get("pages/o1/page_01.png", LIMIT) == b"\x89PNG"


def test_a_second_put_replaces_the_first(store: Store) -> None:
    store.put("a", b"one", "text/plain")
    store.put("a", b"two", "text/plain")
    assert store.get("a", LIMIT) == b"two"


def test_a_file_replaces_what_was_there(store: Store, tmp_path: Path) -> None:
    (tmp_path / "new").write_bytes(b"two")
    store.put("a", b"one", "text/plain")
    store.put_file("a", tmp_path / "new", "text/plain")
    assert store.get("a", LIMIT) == b"two"


def test_a_file_is_put_and_got_as_one_without_being_held_in_memory(
    store: Store, tmp_path: Path
) -> None:
    source, target = tmp_path / "source", tmp_path / "target"
    source.write_bytes(bytes(range(256)) * 80_000)  # 20 MB: S3 takes it in parts
    store.put_file("books/o1/full_book.pdf", source, "application/pdf")
    store.get_file("books/o1/full_book.pdf", target, 30_000_000)
    assert target.read_bytes() == source.read_bytes()
    with pytest.raises(ObjectTooLarge):
        store.get_file("books/o1/full_book.pdf", target, 1_000_000)
    with pytest.raises(ObjectNotFound):
        store.get_file("books/o2/full_book.pdf", target, LIMIT)


def test_an_object_that_was_to_be_new_does_not_replace_one(store: Store) -> None:
    assert store.put_new("pages/o1/page_01.png", b"one", "image/png")
    assert not store.put_new("pages/o1/page_01.png", b"two", "image/png")
    assert store.get("pages/o1/page_01.png", LIMIT) == b"one"
    store.delete("pages/o1/page_01.png")
    assert store.put_new("pages/o1/page_01.png", b"three", "image/png")


def test_of_several_writers_at_once_one_is_told_that_it_wrote(store: Store) -> None:
    with ThreadPoolExecutor(4) as pool:
        values = [bytes([n]) * 50_000 for n in range(4)]
        wrote = list(pool.map(lambda value: store.put_new("a/b", value, "text/plain"), values))
    assert wrote.count(True) == 1
    assert store.get("a/b", LIMIT) == values[wrote.index(True)]


def test_what_is_missing_is_said_to_be(store: Store) -> None:
    assert not store.exists("a/b")
    with pytest.raises(ObjectNotFound):
        store.get("a/b", LIMIT)


def test_a_folder_of_objects_is_no_object(store: Store) -> None:
    store.put("a/b", b"x", "text/plain")
    assert not store.exists("a")
    with pytest.raises(ObjectNotFound):
        store.get("a", LIMIT)


def test_an_object_of_the_largest_size_is_got_and_a_larger_one_is_not(store: Store) -> None:
    store.put("a", b"12345", "text/plain")
    assert store.get("a", 5) == b"12345"
    with pytest.raises(ObjectTooLarge):
        store.get("a", 4)


def test_what_was_deleted_is_gone_and_deleting_again_is_no_error(store: Store) -> None:
    store.put("a", b"x", "text/plain")
    store.delete("a")
    store.delete("a")
    assert not store.exists("a")


@pytest.mark.parametrize("key", ["../x", "/x", "a/../../x", "", "a\0b"])
def test_a_key_that_is_none_is_refused_everywhere(store: Store, key: str) -> None:
    with pytest.raises(InvalidKey):
        store.put(key, b"x", "text/plain")
    with pytest.raises(InvalidKey):
        store.put_new(key, b"x", "text/plain")
    with pytest.raises(InvalidKey):
        store.get(key, LIMIT)
    with pytest.raises(InvalidKey):
        store.exists(key)
    with pytest.raises(InvalidKey):
        store.delete(key)


def test_a_store_that_is_there_answers_a_ping(store: Store) -> None:
    store.ping()


def test_readers_never_see_a_half_written_object(store: Store) -> None:
    """One of the whole values is read, whoever writes meanwhile."""
    values = [bytes([n]) * 200_000 for n in range(4)]
    store.put("a", values[0], "text/plain")
    writers = [
        threading.Thread(target=store.put, args=("a", value, "text/plain")) for value in values
    ]
    for writer in writers:
        writer.start()
    seen = [store.get("a", LIMIT) for _ in range(10)]
    for writer in writers:
        writer.join()
    assert all(value in values for value in seen)


def test_a_page_keeps_its_content_type_and_hash_in_s3(s3_endpoint: str) -> None:
    with closing(s3_client(s3_endpoint)) as client:
        client.create_bucket(
            Bucket="types", CreateBucketConfiguration={"LocationConstraint": "eu-central-1"}
        )
        store = S3Store(client, "types")
        store.put("a.png", b"x", "image/png")
        store.put_new("b.png", b"x", "image/png")
        for key in ("a.png", "b.png"):
            head = client.head_object(Bucket="types", Key=key)
            assert head["ContentType"] == "image/png"
            assert head["CacheControl"] == "private, no-store"
            assert head["Metadata"] == {"sha256": hashlib.sha256(b"x").hexdigest()}


class Refusing(BaseHTTPRequestHandler):
    """An S3 that answers every request with the status and code of its server."""

    protocol_version = "HTTP/1.1"  # without it a client waits for leave to send the body

    def do_PUT(self) -> None:
        server = self.server
        assert isinstance(server, RefusingServer)
        self.rfile.read(int(self.headers["Content-Length"]))
        server.requests += 1
        body = f"<Error><Code>{server.code}</Code></Error>".encode()
        self.send_response(server.status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


class RefusingServer(ThreadingHTTPServer):
    """Counts the requests that it refuses."""

    def __init__(self, status: int, code: str) -> None:
        super().__init__(("127.0.0.1", 0), Refusing)
        self.status, self.code, self.requests = status, code, 0

    @contextmanager
    def store(self) -> Iterator[S3Store]:
        """A store on this server, while it runs."""
        thread = threading.Thread(target=self.serve_forever, args=(0.02,))
        thread.start()
        try:
            with closing(s3_client(f"http://127.0.0.1:{self.server_port}")) as client:
                yield S3Store(client, "bucket")
        finally:
            self.shutdown()
            thread.join()
            self.server_close()


@pytest.mark.parametrize(
    ("status", "code", "error", "requests"),
    [
        (403, "InvalidAccessKeyId", StoreRefused, 1),
        (403, "SignatureDoesNotMatch", StoreRefused, 1),
        (401, "Unauthorized", StoreRefused, 1),
        (507, "InsufficientStorage", StoreFull, 1),
        (500, "InternalError", StoreUnavailable, 4),
    ],
)
def test_s3_is_asked_again_only_if_that_can_help(
    status: int, code: str, error: type[StoreError], requests: int
) -> None:
    server = RefusingServer(status, code)
    with server.store() as store, pytest.raises(StoreError) as caught:
        store.put("a", b"x", "text/plain")
    assert type(caught.value) is error
    assert "secret" not in str(caught.value)
    assert server.requests == requests


def test_a_writer_that_meets_another_in_s3_is_told_so() -> None:
    server = RefusingServer(409, "ConditionalRequestConflict")
    with server.store() as store:
        assert not store.put_new("a", b"x", "text/plain")


def test_a_missing_bucket_is_an_unavailable_store(s3_endpoint: str) -> None:
    with closing(s3_client(s3_endpoint)) as client:
        store = S3Store(client, "no-such-bucket")
        with pytest.raises(StoreUnavailable, match="bucket"):
            store.ping()
        with pytest.raises(StoreUnavailable, match="bucket"):
            store.put("a", b"x", "text/plain")


def test_an_unreachable_s3_is_an_unavailable_store() -> None:
    with closing(s3_client("http://127.0.0.1:1")) as client, pytest.raises(StoreUnavailable):
        S3Store(client, "bucket").get("a", LIMIT)


def test_urls_name_stores(tmp_path: Path) -> None:
    store = open_store(f"file://{tmp_path}/my%20store", {})
    assert isinstance(store, FolderStore)
    store.put("a", b"x", "text/plain")
    assert (tmp_path / "my store" / "a").read_bytes() == b"x"
    keys = {"S3_ACCESS_KEY_ID": "key", "S3_SECRET_ACCESS_KEY": "secret"}
    assert isinstance(open_store("s3://bucket", keys), S3Store)


@pytest.mark.parametrize(
    "url", ["", "store", "file://relative/path", "s3://", "s3://bucket/prefix", "ftp://x"]
)
def test_other_urls_are_refused(url: str) -> None:
    with pytest.raises(ValueError, match="object store URL"):
        open_store(url, {})


def test_s3_without_credentials_says_which_are_missing() -> None:
    with pytest.raises(ValueError, match="S3_SECRET_ACCESS_KEY"):
        open_store("s3://bucket", {"S3_ACCESS_KEY_ID": "key"})
