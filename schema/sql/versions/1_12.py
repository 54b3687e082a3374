"""One more preallocated attribute for CHASM, made for few distinct values and for grouping.

Generated from schema/versions; change the definition, not this file.
"""

from alembic import context

revision = '1.12'
down_revision = '1.11'
branch_labels = None
depends_on = None


def upgrade():
    context.config.attributes["run_script"]('upgrade/1.11-1.12')


def downgrade():
    context.config.attributes["run_script"]('downgrade/1.12-1.11')
