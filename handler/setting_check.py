"""What is missing, wrong or risky in a worker's environment, found without starting anything."""

from collections.abc import Iterator, Mapping
from urllib.parse import urlsplit

from contract.findings import Finding, Level
from handler.errors import LicenceForbids, WorkflowInvalid
from handler.graph import load_workflows
from handler.models.files import ModelFiles
from handler.models.hashes import HashCache
from handler.models.licence_gate import LicenceGate
from handler.settings import Settings, SettingsInvalid, read_settings
from handler.variables import VARIABLES
from handler.workflows.model_list import read_model_list
from storage.open import open_store

SECRETS = ("CALLBACK_SECRET", "S3_ACCESS_KEY_ID", "S3_SECRET_ACCESS_KEY")


def check(environ: Mapping[str, str]) -> list[Finding]:
    """Return every fault and every risk of the environment."""
    return [*_wrong(environ), *_risky(environ)]


def _wrong(environ: Mapping[str, str]) -> list[Finding]:
    found = []
    try:
        settings = read_settings(environ)
    except SettingsInvalid as error:
        found += [_finding_of(problem) for problem in error.problems]
    else:
        found += _unfit(settings)
    url = environ.get("OBJECT_STORE_URL", "").strip()
    if url:
        try:
            open_store(url, environ)
        except ValueError as error:
            found.append(Finding(Level.WRONG, "OBJECT_STORE_URL", str(error)))
    return found


def _finding_of(problem: str) -> Finding:
    name, _, text = problem.partition(" ")
    return Finding(Level.WRONG, name.rstrip(":"), text)


def _unfit(settings: Settings) -> Iterator[Finding]:
    """What the files say that the settings name: workflows, the model list, models, licences."""
    try:
        workflows = load_workflows(settings.workflows_dir)
        listed = read_model_list(settings.model_list, settings.model_list_local)
    except WorkflowInvalid as error:
        yield Finding(Level.WRONG, "WORKFLOWS_DIR or MODEL_LIST", str(error))
        return
    folder = settings.comfyui_models_dir
    files = ModelFiles(listed, [folder] if folder else [], HashCache(settings.model_hashes))
    released = {(each.spec.name, each.spec.version): each for each in workflows}
    for name, version in settings.required_workflows:
        if (name, version) not in released:
            text = f"{name}/v{version} isn't among the released workflows"
            yield Finding(Level.WRONG, "REQUIRED_WORKFLOWS", text)
            continue
        for model in released[name, version].spec.models:
            if files.find(model.folder, model.file) is None:
                text = f"{name}/v{version} needs {model.folder}/{model.file}, which isn't there"
                yield Finding(Level.WRONG, "COMFYUI_MODELS_DIR", text)
    if settings.terms.use == "evaluation":
        return
    try:
        LicenceGate(
            settings.terms,
            listed=listed,
            files=files,
            workflows=workflows,
            required=[each for each in settings.required_workflows if each in released],
            any_graph=settings.raw_workflows,
        ).check()
    except LicenceForbids as error:
        for line in error.refusals:
            yield Finding(Level.WRONG, "MODELS_USE", line)


def _risky(environ: Mapping[str, str]) -> list[Finding]:
    defaults = {each.name: each.default or "" for each in VARIABLES}
    told = {name: environ.get(name, "").strip() or default for name, default in defaults.items()}
    rules = (
        (
            told["MODELS_USE"].lower() == "evaluation",
            "MODELS_USE",
            "is for evaluation: nothing made so may be sold unless every licence allows it",
        ),
        (
            told["MODELS_CHECK"].lower() == "present",
            "MODELS_CHECK",
            "model files aren't compared with their hashes: a broken or exchanged one is used",
        ),
        (
            not told["REQUIRED_WORKFLOWS"],
            "REQUIRED_WORKFLOWS",
            "isn't set: what the worker can't render is found out by the first paid job",
        ),
        (
            told["WARM_UP"].lower() == "false",
            "WARM_UP",
            "the first job waits until the models are loaded",
        ),
        (
            not told["CALLBACK_URL"],
            "CALLBACK_URL",
            "isn't set: the gateway hears of pages only by asking RunPod",
        ),
        (
            urlsplit(told["CALLBACK_URL"]).scheme == "http",
            "CALLBACK_URL",
            "goes over http: what is sent can be read on its way",
        ),
        (
            told["OBJECT_STORE_URL"].startswith("file:"),
            "OBJECT_STORE_URL",
            "is a folder of this machine, which a gateway elsewhere can't read",
        ),
        (
            told["RAW_WORKFLOWS"].lower() == "true",
            "RAW_WORKFLOWS",
            "whoever has the endpoint's key may run any graph",
        ),
        (told["COMFYUI_DEVICE"].lower() == "cpu", "COMFYUI_DEVICE", "the GPU isn't used"),
        (told["LOG_LEVEL"].lower() == "debug", "LOG_LEVEL", "logs are long, and slow jobs down"),
    )
    return [Finding(Level.RISKY, name, text) for applies, name, text in rules if applies]
