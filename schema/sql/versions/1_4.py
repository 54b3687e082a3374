"""Execution duration, state transitions and the parent of a run become searchable on SQL.

Generated from schema/versions; change the definition, not this file.
"""

from alembic import context

revision = '1.4'
down_revision = '1.3'
branch_labels = None
depends_on = None


def upgrade():
    context.config.attributes["run_script"]('upgrade/1.3-1.4')


def downgrade():
    context.config.attributes["run_script"]('downgrade/1.4-1.3')
