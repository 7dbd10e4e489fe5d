"""The lake tables by name, as the IO manager looks them up. Declared in features/schemas.py."""

from collections.abc import Mapping

from features import schemas

TABLES: Mapping[str, schemas.Table] = {
    table.name: table for table in vars(schemas).values() if isinstance(table, schemas.Table)
}
