"""Every record carries a version, so that a late write cannot overwrite a newer one.

Generated from schema/versions; change the definition, not this file.
"""

from alembic import context

revision = '1.9'
down_revision = '1.8'
branch_labels = None
depends_on = None


def upgrade():
    context.config.attributes["run_script"]('upgrade/1.8-1.9')


def downgrade():
    context.config.attributes["run_script"]('downgrade/1.9-1.8')
