"""URLs of objects, for whoever asked for a raw workflow: good for a day."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final
from urllib.parse import unquote, urlsplit

from storage.s3 import connect

LIFE_S: Final = 86_400


def object_links(store_url: str, environ: Mapping[str, str]) -> Callable[[str], str]:
    """Return what makes a URL of an object's key: signed for ``s3://bucket``, a file's own for
    ``file:///folder``. The arguments are those of :func:`storage.open.open_store`, which accepted
    them. No link says that the object is there.
    """
    parts = urlsplit(store_url)
    if parts.scheme == "file":
        root = Path(unquote(parts.path))
        return lambda key: (root / key).absolute().as_uri()
    client = connect(
        endpoint_url=environ.get("S3_ENDPOINT_URL") or None,
        region=environ.get("S3_REGION") or "auto",
        access_key_id=environ["S3_ACCESS_KEY_ID"],
        secret_access_key=environ["S3_SECRET_ACCESS_KEY"],
    )

    def signed(key: str) -> str:
        place = {"Bucket": parts.netloc, "Key": key}
        return client.generate_presigned_url("get_object", Params=place, ExpiresIn=LIFE_S)

    return signed
