"""What the control plane refuses, each with the HTTP status that says so.

PlaneError
├── BadRequest          400
│   ├── PayloadTooLarge 400
│   └── NotRetryable    400
├── Unauthorized        401
├── NotFound            404
├── TooManyRequests     429
│   └── QueueFull       429
└── InjectedFault       whatever a test asked for
"""


class PlaneError(Exception):
    """A request that is answered `{"error": message}` with `status`."""

    status = 500


class BadRequest(PlaneError):
    status = 400


class PayloadTooLarge(BadRequest):
    """400, not 413: that is what workers in the field report RunPod to answer."""


class NotRetryable(BadRequest):
    """`/retry` of a job that neither failed nor timed out."""


class Unauthorized(PlaneError):
    status = 401


class NotFound(PlaneError):
    status = 404


class TooManyRequests(PlaneError):
    status = 429


class QueueFull(TooManyRequests):
    """More jobs wait than the endpoint's workers are allowed to have waiting."""


class InjectedFault(PlaneError):
    """A failure that a test switched on."""

    def __init__(self, status: int) -> None:
        super().__init__(f"injected fault {status}")
        self.status = status
