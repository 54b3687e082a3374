"""Problems that a run reports about itself become searchable.

Generated from schema/versions; change the definition, not this file.
"""

from alembic import context

revision = '1.10'
down_revision = '1.9'
branch_labels = None
depends_on = None


def upgrade():
    context.config.attributes["run_script"]('upgrade/1.9-1.10')


def downgrade():
    context.config.attributes["run_script"]('downgrade/1.10-1.9')
