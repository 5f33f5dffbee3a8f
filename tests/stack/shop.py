"""What a shop does with the gateway, over HTTP."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import httpx

PATIENCE_S = 240.0
PRINT_PATIENCE_S = 480.0


@dataclass(frozen=True)
class Ordered:
    """A preview that was asked for, and the token that opens it."""

    job_id: str
    preview_id: str
    headers: dict[str, str]


class Shop:
    """A shop that bears with a gateway that is away for a moment, as shops should."""

    def __init__(self, client: httpx.Client) -> None:
        self._client = client

    def order_preview(self, photo: bytes, name: str = "Ada") -> Ordered:
        uploaded = self._client.post("/api/upload-photo", files={"file": ("me.png", photo)})
        photo_id = uploaded.raise_for_status().json()["photo_id"]
        book = self._client.get("/api/books").raise_for_status().json()["books"][0]
        wanted = {"photo_id": photo_id, "book_id": book["id"], "child_name": name}
        answer = self._client.post("/api/preview", json=wanted)
        assert answer.status_code == httpx.codes.ACCEPTED, answer.text
        job = answer.json()
        headers = {"Authorization": f"Bearer {job['access_token']}"}
        return Ordered(job["job_id"], job["preview_id"], headers)

    def status(self, order: Ordered) -> dict[str, Any]:
        return self._get(f"/api/preview-status/{order.job_id}", order)

    def preview(self, order: Ordered) -> dict[str, Any]:
        return self._get(f"/api/preview/{order.preview_id}", order)

    def picture(self, url: str) -> httpx.Response:
        return self._client.get(url)

    def wait(self, order: Ordered, until: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        """Poll until ``until`` holds of the status or the job has ended; return the status."""
        deadline = time.monotonic() + PATIENCE_S
        while time.monotonic() < deadline:
            status = self.status(order)
            if until(status) or status["status"] in ("completed", "failed", "cancelled"):
                return status
            time.sleep(0.05)
        raise AssertionError(f"no end within {PATIENCE_S} s: {status}")

    def wait_for_end(self, order: Ordered) -> dict[str, Any]:
        return self.wait(order, until=lambda _: False)

    def buy(self, order: Ordered) -> str:
        """Pay on the checkout's page, and go back to the shop; return the order's id."""
        wanted = {"preview_id": order.preview_id}
        opened = self._client.post("/api/checkout", json=wanted, headers=order.headers)
        checkout = opened.raise_for_status().json()
        paid = httpx.post(checkout["checkout_url"], data={"name": "Ada Lovelace"}, timeout=60)
        assert paid.status_code == httpx.codes.SEE_OTHER, paid.text
        assert checkout["session_id"] in paid.headers["Location"]
        deadline = time.monotonic() + PATIENCE_S
        while time.monotonic() < deadline:
            # Not the checkout's state, for which the gateway would ask Stripe.
            (creation,) = self._get("/api/my-creations", order)["creations"]
            for bought in creation["orders"]:
                order_id: str = bought["order_id"]
                return order_id
            time.sleep(0.2)
        raise AssertionError("the payment made no order")

    def bought(self, order: Ordered, order_id: str) -> dict[str, Any]:
        return self._get(f"/api/orders/{order_id}", order)

    def wait_for_print(self, order: Ordered, order_id: str) -> dict[str, Any]:
        """Wait until the printer has the book, or nobody works on it any more."""
        deadline = time.monotonic() + PRINT_PATIENCE_S
        while time.monotonic() < deadline:
            bought = self.bought(order, order_id)
            if bought["status"] not in ("received", "painting", "preparing"):
                return bought
            time.sleep(0.5)
        raise AssertionError(f"not printed within {PRINT_PATIENCE_S} s: {bought}")

    def book(self, order: Ordered, order_id: str) -> bytes:
        link = self._get(f"/api/download/{order_id}", order)["url"]
        return self._client.get(link).raise_for_status().content

    def _get(self, path: str, order: Ordered) -> dict[str, Any]:
        deadline = time.monotonic() + PATIENCE_S
        while True:
            try:
                answer = self._client.get(
                    path, headers={**order.headers, "Accept": "application/json"}
                )
            except httpx.TransportError:
                # The gateway is being restarted.
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.1)
                continue
            document: dict[str, Any] = answer.raise_for_status().json()
            return document
