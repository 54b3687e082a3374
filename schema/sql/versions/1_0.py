"""The standard visibility table: who ran, when, and how it ended.

Generated from schema/versions; change the definition, not this file.
"""

from alembic import context

revision = '1.0'
down_revision = None
branch_labels = None
depends_on = None


def upgrade():
    context.config.attributes["run_script"]('install/1.0')


def downgrade():
    context.config.attributes["run_script"]('uninstall/1.0')
