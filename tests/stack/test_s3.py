"""The same system over an S3 API, as production runs it: nothing of it lies in a folder."""

import io
import os
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import pytest
from moto.server import ThreadedMotoServer
from PIL import Image

from contract.keys import page_key
from sandbox.stack import Stack
from storage.s3 import S3Store, connect
from tests.stack.shop import Shop

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

pytestmark = [pytest.mark.stack, pytest.mark.comfyui, pytest.mark.timeout(300)]

BUCKET = "foxetales-of-the-stack"  # this process has one state of moto, whoever serves it


@pytest.fixture
def s3() -> Iterator[tuple[str, "S3Client"]]:
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    endpoint = f"http://{host}:{port}"
    client = connect(
        endpoint_url=endpoint, region="eu-central-1", access_key_id="k", secret_access_key="s"
    )
    with closing(client):
        client.create_bucket(
            Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": "eu-central-1"}
        )
        yield endpoint, client
    server.stop()


def test_a_preview_is_made_through_a_bucket(
    s3: tuple[str, "S3Client"], tmp_path: Path, portrait: bytes
) -> None:
    endpoint, client = s3
    stack = Stack(
        state_dir=tmp_path,
        environ=os.environ,
        face_min_area_percent=3.0,
        extra={
            "OBJECT_STORE_URL": f"s3://{BUCKET}",
            "S3_ENDPOINT_URL": endpoint,
            "S3_REGION": "eu-central-1",
            "S3_ACCESS_KEY_ID": "k",
            "S3_SECRET_ACCESS_KEY": "s",
        },
    )
    with stack.up(), httpx.Client(base_url=stack.gateway_url, timeout=60) as http:
        shop = Shop(http)
        order = shop.order_preview(portrait)
        assert shop.wait_for_end(order)["status"] == "completed"
        links = [shown["image_url"] for shown in shop.preview(order)["preview_pages"]]
        assert [shop.picture(link).status_code for link in links] == [200, 200, 200]
    store = S3Store(client, BUCKET)
    for number in (1, 2, 3):
        png = store.get(page_key(order.preview_id, number), 10_000_000)
        with Image.open(io.BytesIO(png)) as page:
            assert page.size == (1024, 1024)
    assert not any((tmp_path / "store").rglob("*"))
