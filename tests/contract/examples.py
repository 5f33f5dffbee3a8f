"""One example of each message, with every field set."""

from datetime import UTC, datetime

from contract.errors import ErrorCode, JobError
from contract.job import (
    HealthJob,
    IdentityJob,
    IdentitySource,
    ObjectRef,
    PagesJob,
    PageTask,
    WorkflowRef,
)
from contract.keys import embedding_key, page_key, photo_key, template_key
from contract.result import (
    AcknowledgedLicence,
    Gpu,
    HealthReport,
    IdentityResult,
    InstalledModel,
    InstalledWorkflow,
    JobResult,
    PageResult,
    PageTimings,
    Progress,
    StoredImage,
)
from contract.status import JobStatus, PageStatus
from contract.types import SentMessage, WorkerMessage

SHA = "0" * 63 + "1"


def identity_source() -> IdentitySource:
    return IdentitySource(
        photo=ObjectRef(key=photo_key("photo1"), sha256=SHA),
        embedding_key=embedding_key("photo1"),
        workflow=WorkflowRef(name="identity", version=1),
        max_age_s=3600,
    )


def pages_job() -> PagesJob:
    return PagesJob(
        job_id="job1",
        dispatch=2,
        workflow=WorkflowRef(name="storybook_page_draft", version=1),
        pages=[
            PageTask(
                page_number=1,
                output_key=page_key("preview1", 1),
                seed=7,
                slots={"face_x": 512, "face_angle": -2.5, "skin_preset": "off"},
                assets={
                    "photo": ObjectRef(key=photo_key("photo1"), sha256=SHA),
                    "background": ObjectRef(key=template_key("book", 1, "background")),
                },
            )
        ],
        identity=identity_source(),
        deadline_s=300,
    )


def identity_job() -> IdentityJob:
    return IdentityJob(job_id="job0", dispatch=1, identity=identity_source(), deadline_s=60)


def health_job() -> HealthJob:
    return HealthJob(job_id="job9")


def health_report() -> HealthReport:
    return HealthReport(
        job_id="job9",
        worker_id="worker-1",
        worker_version="0.1.0",
        node_pack_version="0.1.0",
        comfyui_version="0.3.75",
        comfyui_alive=True,
        torch_version="2.13.0",
        sdk_version="1.12.0",
        workflows=[InstalledWorkflow(name="storybook_page", version=1, required=True)],
        models=[
            InstalledModel(
                folder="vae", file="ae.safetensors", size_bytes=5, sha256=SHA, expected_sha256=SHA
            ),
            InstalledModel(folder="loras", file="foxetales_v4.safetensors"),
        ],
        models_use="commercial",
        acknowledged_licences=[
            AcknowledgedLicence(licence="LicenseRef-FLUX-1-dev", reference="contract 2026-17")
        ],
        gpus=[Gpu(name="NVIDIA L40S", memory_bytes=48_305_799_168, free_bytes=47_244_640_256)],
        free_disk_bytes=10_000_000_000,
        uptime_s=61.5,
        jobs_done=3,
    )


def identity_result() -> IdentityResult:
    return IdentityResult(
        key=embedding_key("photo1"),
        sha256=SHA,
        size_bytes=131_600,
        extracted_at=datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC),
        extracted=True,
        extract_ms=850.5,
    )


def page_completed() -> PageResult:
    return PageResult(
        page_number=1,
        status=PageStatus.COMPLETED,
        seed=7,
        image=StoredImage(
            key=page_key("preview1", 1), sha256=SHA, size_bytes=1000, width=1024, height=1024
        ),
        timings=PageTimings(
            fetch_ms=1.5,
            queue_ms=2,
            render_ms=3000,
            text_ms=100,
            sample_ms=2500,
            decode_ms=200,
            composite_ms=150,
            encode_ms=60,
            store_ms=40,
            idle_ms=12,
        ),
        reused=True,
    )


def page_failed() -> PageResult:
    return PageResult(
        page_number=2,
        status=PageStatus.FAILED,
        seed=8,
        error=JobError(
            code=ErrorCode.WORKFLOW_REJECTED,
            message="node 'Load photo' refused its input 'image'",
            page_number=2,
            node="Load photo",
            input="image",
        ),
    )


def progress() -> Progress:
    return Progress(
        job_id="job1",
        dispatch=2,
        run=1_790_000_000_000,
        seq=3,
        progress=0.5,
        current_step="rendering page 2",
        page_number=2,
        step=4,
        steps=25,
        pages=[page_completed()],
    )


def job_result() -> JobResult:
    return JobResult(
        job_id="job1",
        dispatch=2,
        run=1_790_000_000_000,
        seq=4,
        status=JobStatus.FAILED,
        pages=[page_completed(), page_failed()],
        identity=identity_result(),
        error=JobError(code=ErrorCode.WORKFLOW_REJECTED, message="1 of 2 pages failed"),
        total_ms=6000,
        worker_id="worker-1",
    )


EXAMPLES: dict[str, SentMessage | WorkerMessage] = {
    "pages_job": pages_job(),
    "identity_job": identity_job(),
    "health_job": health_job(),
    "health_report": health_report(),
    "progress": progress(),
    "job_result": job_result(),
}
