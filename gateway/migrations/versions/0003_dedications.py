"""A book may have a dedication."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the change."""

    for name in ("checkouts", "orders"):
        with op.batch_alter_table(name) as table:
            table.add_column(sa.Column("dedication", sa.Text(), nullable=True))
