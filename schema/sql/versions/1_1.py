"""Closed executions can be listed by close time across all statuses.

Generated from schema/versions; change the definition, not this file.
"""

from alembic import context

revision = '1.1'
down_revision = '1.0'
branch_labels = None
depends_on = None


def upgrade():
    context.config.attributes["run_script"]('upgrade/1.0-1.1')


def downgrade():
    context.config.attributes["run_script"]('downgrade/1.1-1.0')
