"""The root of a chain of child workflows becomes searchable.

Generated from schema/versions; change the definition, not this file.
"""

from alembic import context

revision = '1.5'
down_revision = '1.4'
branch_labels = None
depends_on = None


def upgrade():
    context.config.attributes["run_script"]('upgrade/1.4-1.5')


def downgrade():
    context.config.attributes["run_script"]('downgrade/1.5-1.4')
