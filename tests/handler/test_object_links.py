"""Links to objects."""

from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from handler.adapters.object_links import LIFE_S, object_links

R2 = {
    "S3_ENDPOINT_URL": "https://account.r2.cloudflarestorage.com",
    "S3_ACCESS_KEY_ID": "key",
    "S3_SECRET_ACCESS_KEY": "secret",
}


def test_an_object_in_a_folder_is_a_file(tmp_path: Path) -> None:
    link = object_links(f"file://{tmp_path}/a%20b", {})
    assert link("raw/j/a.png") == f"file://{tmp_path}/a%20b/raw/j/a.png"


def test_an_object_in_a_bucket_has_a_signed_link_for_a_day() -> None:
    url = urlsplit(object_links("s3://books", R2)("raw/j/a.png"))
    assert (url.netloc, url.path) == (
        "account.r2.cloudflarestorage.com",
        "/books/raw/j/a.png",
    )
    query = parse_qs(url.query)
    assert query["X-Amz-Expires"] == [str(LIFE_S)]
    assert "secret" not in url.query
