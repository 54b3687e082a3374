"""The root ids are never null: an unknown root is the empty text.

Generated from schema/versions; change the definition, not this file.
"""

from alembic import context

revision = '1.6'
down_revision = '1.5'
branch_labels = None
depends_on = None


def upgrade():
    context.config.attributes["run_script"]('upgrade/1.5-1.6')


def downgrade():
    context.config.attributes["run_script"]('downgrade/1.6-1.5')
