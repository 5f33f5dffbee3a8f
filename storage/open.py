"""From one URL to an object store."""

from collections.abc import Mapping
from pathlib import Path
from urllib.parse import unquote, urlsplit

from storage.folder import FolderStore
from storage.s3 import S3Store, connect


def open_store(url: str, environ: Mapping[str, str]) -> FolderStore | S3Store:
    """Return the store that ``url`` names: ``file:///folder`` or ``s3://bucket``.

    For ``s3`` the mapping gives ``S3_ENDPOINT_URL`` (absent: Amazon's), ``S3_REGION`` (``auto``),
    ``S3_ACCESS_KEY_ID`` and ``S3_SECRET_ACCESS_KEY``.

    Raises:
        ValueError: the URL has another form, or a credential is missing.
    """
    parts = urlsplit(url)
    if parts.scheme == "file" and parts.path and not parts.netloc:
        return FolderStore(Path(unquote(parts.path)))
    if parts.scheme == "s3" and parts.netloc and parts.path in ("", "/"):
        return _open_s3(parts.netloc, environ)
    raise ValueError("an object store URL is file:///folder or s3://bucket")


def _open_s3(bucket: str, environ: Mapping[str, str]) -> S3Store:
    missing = [n for n in ("S3_ACCESS_KEY_ID", "S3_SECRET_ACCESS_KEY") if not environ.get(n)]
    if missing:
        raise ValueError(f"an s3:// object store needs {' and '.join(missing)}")
    client = connect(
        endpoint_url=environ.get("S3_ENDPOINT_URL") or None,
        region=environ.get("S3_REGION") or "auto",
        access_key_id=environ["S3_ACCESS_KEY_ID"],
        secret_access_key=environ["S3_SECRET_ACCESS_KEY"],
    )
    return S3Store(client, bucket)
