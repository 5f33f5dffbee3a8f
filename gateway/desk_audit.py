"""What was done at the order desk, as an operator reads it."""

from sqlalchemy import Select, select

from gateway.cursors import behind, cursor
from gateway.desk_schema import AuditList, AuditQuery, AuditRow
from gateway.order_records import AuditEntry
from gateway.records import reading
from gateway.services import Services

_IDS_END = 2**31
"""Larger numbers don't fit into the column."""


def list_audit(services: Services, query: AuditQuery) -> AuditList:
    """The entries that ``query`` asks for, the newest first.

    Raises:
        Problem: ``invalid_request`` if the cursor isn't one of ours.
    """
    with reading(services.engine) as session:
        found = session.scalars(_listed(query)).all()
    shown = found[: query.limit]
    last = shown[-1] if len(found) > query.limit else None
    return AuditList(
        entries=[_row(entry) for entry in shown],
        next_cursor=cursor(last.at, str(last.entry_id)) if last else None,
    )


def _listed(query: AuditQuery) -> Select[AuditEntry]:
    wanted: Select[AuditEntry] = select(AuditEntry)
    if query.order_id is not None:
        wanted = wanted.where(AuditEntry.order_id == query.order_id)
    if query.username is not None:
        wanted = wanted.where(AuditEntry.username == query.username)
    if query.action is not None:
        wanted = wanted.where(AuditEntry.action == query.action)
    if query.since is not None:
        wanted = wanted.where(AuditEntry.at >= query.since)
    if query.until is not None:
        wanted = wanted.where(AuditEntry.at < query.until)
    if query.cursor is not None:
        wanted = wanted.where(behind(query.cursor, AuditEntry.at, AuditEntry.entry_id, _entry_id))
    newest_first = wanted.order_by(AuditEntry.at.desc(), AuditEntry.entry_id.desc())
    return newest_first.limit(query.limit + 1)


def _entry_id(text: str) -> int:
    number = int(text)
    if number >= _IDS_END:
        raise ValueError("no id")
    return number


def _row(entry: AuditEntry) -> AuditRow:
    return AuditRow(
        at=entry.at,
        username=entry.username,
        action=entry.action,
        order_id=entry.order_id,
        detail=entry.detail,
    )
