"""What `extend_schema` derives from when views are imported: the maker of the schema is imported with the first one."""

from __future__ import annotations

from rest_framework.schemas.inspectors import ViewInspector


class LazySchema(ViewInspector):
    """Stands for `apps.system.api.schema.Schema`, which becomes its base class as it is imported.

    The hooks of drf-spectacular import it before they read the first view. Importing it takes long.
    """
