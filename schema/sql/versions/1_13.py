"""All worker deployment versions that a run has used become searchable.

Generated from schema/versions; change the definition, not this file.
"""

from alembic import context

revision = '1.13'
down_revision = '1.12'
branch_labels = None
depends_on = None


def upgrade():
    context.config.attributes["run_script"]('upgrade/1.12-1.13')


def downgrade():
    context.config.attributes["run_script"]('downgrade/1.13-1.12')
