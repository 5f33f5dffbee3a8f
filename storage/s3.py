"""Objects in a bucket of an S3-compatible store: Cloudflare R2 in production."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from contract.types import validate_object_key
from storage.errors import InvalidKey, ObjectNotFound, ObjectTooLarge, StoreFull, StoreUnavailable

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

_NOT_FOUND = frozenset({"NoSuchKey", "404", "NotFound"})
_FULL = frozenset({"QuotaExceeded", "InsufficientStorage", "507"})


class S3Store:
    """An object store in one bucket. S3 writes are atomic by themselves."""

    def __init__(self, client: "S3Client", bucket: str) -> None:
        self._client = client
        self._bucket = bucket

    def put(self, key: str, data: bytes, content_type: str) -> None:
        """Write ``data`` under ``key``, replacing what was there.

        Raises:
            StoreFull, StoreUnavailable, InvalidKey.
        """
        with _translated(key):
            self._client.put_object(
                Bucket=self._bucket,
                Key=_checked(key),
                Body=data,
                ContentType=content_type,
                CacheControl="private, no-store",
            )

    def get(self, key: str, max_bytes: int) -> bytes:
        """Return the object under ``key``, of at most ``max_bytes`` bytes.

        Raises:
            ObjectNotFound, ObjectTooLarge, StoreUnavailable, InvalidKey.
        """
        with _translated(key):
            answer = self._client.get_object(Bucket=self._bucket, Key=_checked(key))
            with answer["Body"] as body:
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
    from botocore.exceptions import BotoCoreError, ClientError, HTTPClientError

    try:
        yield
    except ClientError as error:
        code = error.response.get("Error", {}).get("Code", "unknown")
        if code == "NoSuchBucket":
            raise StoreUnavailable("the object store has no such bucket") from error
        if code in _NOT_FOUND:
            raise ObjectNotFound(key) from None
        if code in _FULL:
            raise StoreFull("no space left in the object store") from error
        raise StoreUnavailable(f"the object store answered {code}") from error
    except (BotoCoreError, HTTPClientError) as error:
        raise StoreUnavailable(
            f"the object store can't be reached: {type(error).__name__}"
        ) from error


def connect(
    *, endpoint_url: str | None, region: str, access_key_id: str, secret_access_key: str
) -> "S3Client":
    """Return a boto3 client with the settings that R2 needs.

    R2 refuses the SDK's default checksums with a misleading ``Unauthorized``, so checksums are
    sent and checked only where the API demands them. Region ``auto`` is R2's.
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
            retries={"mode": "standard", "max_attempts": 4},
            connect_timeout=5,
            read_timeout=30,
        ),
    )
