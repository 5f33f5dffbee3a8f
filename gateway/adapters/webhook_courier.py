"""Brings shops their webhooks over HTTP."""

from typing import Final

import httpx

from contract.signing import sign
from gateway.outbox import DeliveryFailed
from gateway.ports import Clock

_TIMEOUT: Final = httpx.Timeout(15, connect=5)
_GONE: Final = 410


class WebhookCourier:
    """Posts JSON, signed by Standard Webhooks. Redirects aren't followed: a shop's address is what
    its operator wrote down."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._client = httpx.Client(timeout=_TIMEOUT, follow_redirects=False)

    def deliver(self, url: str, secret: str, message_id: str, body: bytes) -> None:
        """Post ``body`` to ``url``.

        Raises:
            DeliveryFailed: it wasn't answered by 2xx. The message repeats neither URL nor answer.
        """
        headers = {
            "content-type": "application/json",
            **sign(secret, message_id, body, self._clock.now()),
        }
        try:
            answer = self._client.post(url, content=body, headers=headers)
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise DeliveryFailed(f"the shop can't be reached: {type(error).__name__}") from None
        if not answer.is_success:
            raise DeliveryFailed(
                f"the shop answered {answer.status_code}", never=answer.status_code == _GONE
            )

    def close(self) -> None:
        """End the connections."""
        self._client.close()
