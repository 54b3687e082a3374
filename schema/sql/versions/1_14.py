"""The number and total size of payloads kept outside of the history become searchable.

Generated from schema/versions; change the definition, not this file.
"""

from alembic import context

revision = '1.14'
down_revision = '1.13'
branch_labels = None
depends_on = None


def upgrade():
    context.config.attributes["run_script"]('upgrade/1.13-1.14')


def downgrade():
    context.config.attributes["run_script"]('downgrade/1.14-1.13')
