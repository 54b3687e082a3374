"""Worker deployments and the versioning behaviour of a run become searchable.

Generated from schema/versions; change the definition, not this file.
"""

from alembic import context

revision = '1.8'
down_revision = '1.7'
branch_labels = None
depends_on = None


def upgrade():
    context.config.attributes["run_script"]('upgrade/1.7-1.8')


def downgrade():
    context.config.attributes["run_script"]('downgrade/1.8-1.7')
