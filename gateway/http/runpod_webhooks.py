"""What the worker and RunPod tell the gateway.

The worker's callbacks are signed, and applied. RunPod's own webhook can't be signed: its path holds
an unguessable token, its content is not read, and all it does is to make the gateway ask.
"""

import hmac
import logging

from pydantic import ValidationError
from starlette.background import BackgroundTask
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from contract.result import STATUS_MESSAGE, JobResult, Progress
from contract.signing import InvalidSignature, verify
from gateway.errors import Problem
from gateway.http.openapi import Answer, Operation, Parameter
from gateway.preview_images import prepare
from gateway.schema import Receipt
from gateway.services import Services

logger = logging.getLogger(__name__)


async def worker_callback(request: Request) -> Response:
    """Apply a status message of the worker."""
    services: Services = request.app.state.services
    body = await request.body()
    try:
        verify(services.settings.callback_secrets, request.headers, body)
    except InvalidSignature as error:
        logger.warning("callback refused", extra={"reason": str(error)})
        raise Problem("invalid_signature") from None
    message = _message(body)
    heard = await services.dispatcher.hear(message)
    if heard is None:
        raise Problem("job_unknown")
    logger.info(
        "callback heard",
        extra={
            "job_id": message.job_id,
            "dispatch": message.dispatch,
            "seq": message.seq,
            "applied": heard.applied,
            "status": heard.status.value,
        },
    )
    finished = heard.applied and any(page.image for page in message.pages)
    return Response(
        Receipt(applied=heard.applied).model_dump_json(),
        media_type="application/json",
        background=BackgroundTask(prepare, services, heard.preview_id) if finished else None,
    )


async def runpod_job_webhook(request: Request) -> Response:
    """RunPod says that a job ended: ask it about that job."""
    services: Services = request.app.state.services
    expected = services.settings.runpod_webhook_token.get_secret_value()
    if not hmac.compare_digest(request.path_params["token"].encode(), expected.encode()):
        raise Problem("not_found")
    await services.dispatcher.ask_about(request.path_params["job_id"])
    return Response(status_code=200)


def _message(body: bytes) -> Progress | JobResult:
    try:
        return STATUS_MESSAGE.validate_json(body)
    except ValidationError as error:
        logger.warning("callback of an unknown form", extra={"errors": error.error_count()})
        raise Problem("invalid_message") from None


routes: list[BaseRoute] = [
    Route("/webhooks/runpod/status", worker_callback, methods=["POST"]),
    Route("/webhooks/runpod/job/{token}/{job_id}", runpod_job_webhook, methods=["POST"]),
]

operations = [
    Operation(
        method="post",
        path="/webhooks/runpod/status",
        operation_id="worker_callback",
        summary="Take a status message of the worker",
        description=(
            "Progress or a result, as in the contract, signed by Standard Webhooks. A message "
            "that was heard before is taken again and changes nothing."
        ),
        request_content={
            "application/json": {"schema": {"type": "object", "required": ["type", "job_id"]}}
        },
        responses={200: Answer("Taken.", Receipt)},
        parameters=(
            Parameter("webhook-id", "header", "Id of the message.", required=True),
            Parameter("webhook-timestamp", "header", "Seconds since the epoch.", required=True),
        ),
        security="webhook_signature",
        problems=("invalid_signature", "invalid_message", "job_unknown", "database_unavailable"),
        tag="Webhooks",
    ),
    Operation(
        method="post",
        path="/webhooks/runpod/job/{token}/{job_id}",
        operation_id="runpod_job_webhook",
        summary="RunPod's own webhook: a job ended",
        description="Unsigned, so its content is not read: the gateway asks RunPod itself.",
        responses={200: Answer("The gateway will ask.")},
        problems=("not_found", "database_unavailable"),
        tag="Webhooks",
    ),
]
