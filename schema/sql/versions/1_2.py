"""Advanced visibility on SQL: search attributes, predefined and preallocated, each with its own index.

Generated from schema/versions; change the definition, not this file.
"""

from alembic import context

revision = '1.2'
down_revision = '1.1'
branch_labels = None
depends_on = None


def upgrade():
    context.config.attributes["run_script"]('upgrade/1.1-1.2')


def downgrade():
    context.config.attributes["run_script"]('downgrade/1.2-1.1')
