"""The desk finds an order by each of its names, without reading all orders."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the change."""

    with op.batch_alter_table("orders") as table:
        table.add_column(sa.Column("source_name", sa.String(length=64), nullable=True))
        table.add_column(sa.Column("email_key", sa.String(length=320), nullable=True))
    op.execute("UPDATE orders SET email_key = lower(email)")
    name = "json_extract(detail, '$.name')"
    if op.get_bind().dialect.name == "postgresql":
        name = "detail ->> 'name'"
    op.execute(
        f"UPDATE orders SET source_name = (SELECT substr({name}, 1, 64) FROM order_events "  # noqa: S608  # names only
        "WHERE order_events.order_id = orders.order_id AND kind = 'shopify_order' "
        "ORDER BY event_id LIMIT 1) WHERE source = 'shopify'"
    )
    with op.batch_alter_table("orders") as table:
        table.drop_index(op.f("ix_orders_email"))
        table.create_index(op.f("ix_orders_email_key"), ["email_key"])
        table.create_index(op.f("ix_orders_source_id"), ["source_id"])
        table.create_index(op.f("ix_orders_source_name"), ["source_name"])
        table.create_index("orders_newest", ["paid_at", "order_id"])
