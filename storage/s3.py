"""Objects in a bucket of an S3-compatible store: Cloudflare R2 in production."""

import hashlib
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, TypedDict

from contract.types import validate_object_key
from storage.errors import (
    InvalidKey,
    ObjectNotFound,
    ObjectTooLarge,
    StoreError,
    StoreFull,
    StoreRefused,
    StoreUnavailable,
)

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

_NOT_FOUND = frozenset({"NoSuchKey", "404", "NotFound"})
_FULL = frozenset({"QuotaExceeded", "InsufficientStorage", "507"})
_REFUSED = frozenset(
    {
        "401",
        "403",
        "AccessDenied",
        "ExpiredToken",
        "InvalidAccessKeyId",
        "InvalidToken",
        "SignatureDoesNotMatch",
        "Unauthorized",
    }
)
_CACHE_CONTROL = "private, no-store"
_CHUNK_BYTES = 1024 * 1024
_EXISTS = frozenset({"PreconditionFailed", "412", "ConditionalRequestConflict", "409"})


class _Upload(TypedDict):
    Bucket: str
    Key: str
    Body: bytes
    ContentType: str
    CacheControl: str
    Metadata: dict[str, str]


class _Exists(Exception):
    """There is, or is about to be, an object under a key that was to be new."""


class S3Store:
    """An object store in one bucket. S3 writes are atomic by themselves.

    Every object carries the SHA-256 of its bytes as ``x-amz-meta-sha256``.
    """

    def __init__(self, client: "S3Client", bucket: str) -> None:
        self._client = client
        self._bucket = bucket

    def put(self, key: str, data: bytes, content_type: str) -> None:
        """Write ``data`` under ``key``, replacing what was there.

        Raises:
            StoreFull, StoreUnavailable, InvalidKey.
        """
        with _translated(key):
            self._client.put_object(**self._upload(key, data, content_type))

    def put_new(self, key: str, data: bytes, content_type: str) -> bool:
        """Write ``data`` under ``key`` unless there is an object; return whether it was written.

        Of several writers at the same time at most one is told that it wrote. A writer whose first
        try arrived but whose answer got lost is told that it didn't.

        Raises:
            StoreFull, StoreUnavailable, InvalidKey.
        """
        try:
            with _translated(key):
                upload = self._upload(key, data, content_type)
                self._client.put_object(**upload, IfNoneMatch="*")
        except _Exists:
            return False
        return True

    def put_file(self, key: str, path: Path, content_type: str) -> None:
        """Write the bytes of the file at ``path`` under ``key``, replacing what was there. A file
        of any size: it isn't held in memory, and a large one goes in parts.

        Raises:
            StoreFull, StoreUnavailable, InvalidKey.
            OSError: the file can't be read.
        """
        with path.open("rb") as file:
            sha256 = hashlib.file_digest(file, "sha256").hexdigest()
            file.seek(0)
            with _translated(key):
                self._client.upload_fileobj(
                    file,
                    self._bucket,
                    _checked(key),
                    ExtraArgs={
                        "ContentType": content_type,
                        "CacheControl": _CACHE_CONTROL,
                        "Metadata": {"sha256": sha256},
                    },
                )

    def get_file(self, key: str, path: Path, max_bytes: int) -> None:
        """Write the object under ``key``, of at most ``max_bytes`` bytes, into a file at ``path``.

        Raises:
            ObjectNotFound, ObjectTooLarge, StoreUnavailable, InvalidKey.
            OSError: the file can't be written; what is there of it is of no use.
        """
        with path.open("wb") as target, _translated(key):
            answer = self._client.get_object(Bucket=self._bucket, Key=_checked(key))
            with closing(answer["Body"]) as body:
                if answer["ContentLength"] > max_bytes:
                    raise ObjectTooLarge(key, max_bytes)
                for chunk in body.iter_chunks(_CHUNK_BYTES):
                    target.write(chunk)

    def _upload(self, key: str, data: bytes, content_type: str) -> "_Upload":
        return {
            "Bucket": self._bucket,
            "Key": _checked(key),
            "Body": data,
            "ContentType": content_type,
            "CacheControl": _CACHE_CONTROL,
            "Metadata": {"sha256": hashlib.sha256(data).hexdigest()},
        }

    def get(self, key: str, max_bytes: int) -> bytes:
        """Return the object under ``key``, of at most ``max_bytes`` bytes.

        Raises:
            ObjectNotFound, ObjectTooLarge, StoreUnavailable, InvalidKey.
        """
        with _translated(key):
            answer = self._client.get_object(Bucket=self._bucket, Key=_checked(key))
            # Not the body's own with: that hands out a stream without botocore's errors and checks.
            with closing(answer["Body"]) as body:
                if answer["ContentLength"] > max_bytes:
                    raise ObjectTooLarge(key, max_bytes)
                return body.read()

    def exists(self, key: str) -> bool:
        """Whether there is an object under ``key``.

        Raises:
            StoreUnavailable, InvalidKey.
        """
        try:
            with _translated(key):
                self._client.head_object(Bucket=self._bucket, Key=_checked(key))
        except ObjectNotFound:
            return False
        return True

    def delete(self, key: str) -> None:
        """Remove the object under ``key``; nothing happens if there is none.

        Raises:
            StoreUnavailable, InvalidKey.
        """
        with _translated(key):
            self._client.delete_object(Bucket=self._bucket, Key=_checked(key))

    def ping(self) -> None:
        """Check that the bucket is there and lets us in.

        Raises:
            StoreUnavailable.
        """
        try:
            with _translated("ping"):
                self._client.head_bucket(Bucket=self._bucket)
        except ObjectNotFound:
            raise StoreUnavailable(f"there is no bucket {self._bucket!r}") from None


def _checked(key: str) -> str:
    try:
        return validate_object_key(key)
    except ValueError:
        raise InvalidKey(f"not a safe object key: {key!r}") from None


@contextmanager
def _translated(key: str) -> Iterator[None]:
    """Turn the client's errors into ours. Their texts may carry hosts and key ids: not passed on
    beyond the error code."""
    from boto3.exceptions import S3UploadFailedError
    from botocore.exceptions import BotoCoreError, ClientError, HTTPClientError

    try:
        yield
    except ClientError as error:
        code = error.response.get("Error", {}).get("Code", "unknown")
        if code in _EXISTS:
            raise _Exists from None
        if code in _NOT_FOUND:
            raise ObjectNotFound(key) from None
        raise _failure(code) from error
    except (BotoCoreError, HTTPClientError, S3UploadFailedError) as error:
        raise StoreUnavailable(
            f"the object store can't be reached: {type(error).__name__}"
        ) from error


def _failure(code: str) -> StoreError:
    if code == "NoSuchBucket":
        return StoreUnavailable("the object store has no such bucket")
    if code in _FULL:
        return StoreFull("no space left in the object store")
    if code in _REFUSED:
        return StoreRefused(f"the object store refuses our credentials: {code}")
    return StoreUnavailable(f"the object store answered {code}")


def connect(
    *, endpoint_url: str | None, region: str, access_key_id: str, secret_access_key: str
) -> "S3Client":
    """Return a boto3 client with the settings that R2 needs.

    R2 refuses the SDK's default checksums with a misleading ``Unauthorized``, so checksums are
    sent and checked only where the API demands them. Region ``auto`` is R2's.

    A call is tried four times in all: after throttling, a 5xx answer, or no answer within 5 s for
    a connection and 30 s for the next byte. Before each further try it waits a random part of a
    time that doubles: at first 1 s after throttling, and 50 ms after anything else. So an outage
    of seconds gets through to the caller. Wrong credentials fail at the first try.
    """
    import boto3  # here, because importing it takes half a second that a folder store needn't pay
    from botocore.config import Config

    return boto3.client(
        "s3",
        endpoint_url=endpoint_url,
        region_name=region,
        aws_access_key_id=access_key_id,
        aws_secret_access_key=secret_access_key,
        config=Config(
            request_checksum_calculation="when_required",
            response_checksum_validation="when_required",
            retries={"mode": "standard", "total_max_attempts": 4},
            connect_timeout=5,
            read_timeout=30,
        ),
    )
