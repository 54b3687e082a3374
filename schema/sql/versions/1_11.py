"""Fourteen preallocated search attributes for executions that are not workflows (CHASM).

Generated from schema/versions; change the definition, not this file.
"""

from alembic import context

revision = '1.11'
down_revision = '1.10'
branch_labels = None
depends_on = None


def upgrade():
    context.config.attributes["run_script"]('upgrade/1.10-1.11')


def downgrade():
    context.config.attributes["run_script"]('downgrade/1.11-1.10')
