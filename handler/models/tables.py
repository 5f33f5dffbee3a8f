"""What the commands ``size`` and ``licences`` print."""

from collections.abc import Iterable, Mapping, Sequence

from handler.graph import Workflow
from handler.models.files import ModelFiles
from handler.models.licence_gate import Terms
from handler.models.licences import licence
from handler.models.progress import size_text
from handler.models.stock import needed
from handler.workflows.model_list import ListedModel

Listed = Mapping[tuple[str, str], ListedModel]


def size_lines(workflows: Sequence[Workflow], listed: Listed, files: ModelFiles) -> list[str]:
    """Bytes that each workflow needs, has and lacks, and all of them together.

    A file that several workflows load counts once in the last line. A file without a size in the
    list counts as it lies there; if it doesn't, the lines say so.
    """
    rows = [("workflow", "files", "needed", "there", "missing")]
    for workflow in workflows:
        name = f"{workflow.spec.name}/v{workflow.spec.version}"
        rows.append((name, *_sizes(needed([workflow], listed), files)))
    every = needed(workflows, listed)
    rows.append(("all", *_sizes(every, files)))
    unknown = [m.name for m in every if m.size_bytes is None and _size_there(m, files) is None]
    notes = [f"size unknown, not counted: {name}" for name in unknown]
    return [*_columns(rows), *notes]


def licence_lines(
    models: Iterable[ListedModel], workflows: Sequence[Workflow], terms: Terms
) -> list[str]:
    """File, licence, whether it may be used commercially, and which workflows load it."""
    rows = [("file", "licence", "commercial use", "workflows")]
    for model in models:
        users = [
            f"{each.spec.name}/v{each.spec.version}"
            for each in workflows
            if any((m.folder, m.file) == (model.folder, model.file) for m in each.spec.models)
        ]
        rows.append((model.name, model.licence, _verdict(model, terms), ", ".join(users) or "none"))
    return _columns(rows)


def _verdict(model: ListedModel, terms: Terms) -> str:
    what = licence(model.licence)
    if what.commercial:
        return "yes"
    if terms.allow(model):
        return "acknowledged"
    return f"no; sold at {what.sold_at}" if what.sold_at else "no, until acknowledged"


def _sizes(models: Sequence[ListedModel], files: ModelFiles) -> tuple[str, str, str, str]:
    there = [(model, _size_there(model, files)) for model in models]
    have = sum(size for _, size in there if size is not None)
    lack = sum(model.size_bytes or 0 for model, size in there if size is None)
    return str(len(models)), size_text(have + lack), size_text(have), size_text(lack)


def _size_there(model: ListedModel, files: ModelFiles) -> int | None:
    path = files.find(model.folder, model.file)
    return None if path is None else path.stat().st_size


def _columns(rows: Sequence[tuple[str, ...]]) -> list[str]:
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    return [
        "  ".join(t.ljust(w) for t, w in zip(row, widths, strict=True)).rstrip() for row in rows
    ]
