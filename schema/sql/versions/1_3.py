"""The size of the history and the build ids of a run become searchable.

Generated from schema/versions; change the definition, not this file.
"""

from alembic import context

revision = '1.3'
down_revision = '1.2'
branch_labels = None
depends_on = None


def upgrade():
    context.config.attributes["run_script"]('upgrade/1.2-1.3')


def downgrade():
    context.config.attributes["run_script"]('downgrade/1.3-1.2')
