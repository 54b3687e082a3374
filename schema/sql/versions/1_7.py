"""Why an execution is paused becomes searchable.

Generated from schema/versions; change the definition, not this file.
"""

from alembic import context

revision = '1.7'
down_revision = '1.6'
branch_labels = None
depends_on = None


def upgrade():
    context.config.attributes["run_script"]('upgrade/1.6-1.7')


def downgrade():
    context.config.attributes["run_script"]('downgrade/1.7-1.6')
