"""People at the order desk, as tests play them."""

from typing import Any

import httpx2
from starlette.testclient import TestClient

from gateway.desk_users import Role, add_user
from gateway.order_records import AuditEntry
from gateway.records import reading
from gateway.services import Services

PASSWORD = "correct horse battery"


class Clerk:
    """Somebody who is logged in at the desk."""

    def __init__(
        self,
        services: Services,
        client: TestClient,
        username: str = "olga",
        role: Role = Role.OPERATOR,
    ) -> None:
        self.services = services
        self.client = client
        self.username = username
        add_user(services.engine, services.clock, username, role, PASSWORD)
        self.token = log_in(client, username).json()["access_token"]

    def get(self, path: str, **query: Any) -> httpx2.Response:
        return self.client.get(f"/desk/api{path}", params=query, headers=self._headers)

    def post(self, path: str, body: dict[str, Any] | None = None) -> httpx2.Response:
        return self.client.post(f"/desk/api{path}", json=body or {}, headers=self._headers)

    def act(
        self, order_id: str, action: str, body: dict[str, Any] | None = None
    ) -> httpx2.Response:
        return self.post(f"/orders/{order_id}/{action}", body)

    def see(self, order_id: str) -> dict[str, Any]:
        answer = self.get(f"/orders/{order_id}")
        assert answer.status_code == 200, answer.text
        document: dict[str, Any] = answer.json()
        return document

    @property
    def _headers(self) -> dict[bytes, bytes]:
        return {b"authorization": f"Bearer {self.token}".encode("latin-1")}


def log_in(client: TestClient, username: str, password: str = PASSWORD) -> httpx2.Response:
    body = {"username": username, "password": password}
    return client.post("/desk/api/login", json=body)


def audit(services: Services) -> list[tuple[str, str, str | None]]:
    """What is written down of the desk: who, what, about which order."""
    with reading(services.engine) as session:
        entries = session.query(AuditEntry).order_by(AuditEntry.entry_id)
        return [(entry.username, entry.action, entry.order_id) for entry in entries]
