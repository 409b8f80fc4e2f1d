"""How Alembic runs our steps: inside the transaction `monitor.store.migration` began.

All steps of one upgrade are one transaction on both databases, so an upgrade that is killed half-way
leaves what was there before.
"""

from __future__ import annotations

from alembic import context

from monitor.store.schema import METADATA

attributes = context.config.attributes
context.configure(
    connection=attributes["connection"],
    target_metadata=METADATA,
    render_as_batch=True,
    transactional_ddl=True,
    on_version_apply=attributes["note"],
)
context.run_migrations()
