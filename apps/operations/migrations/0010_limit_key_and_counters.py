"""Fields under their own names; rows are kept."""

from django.db import migrations, models
from django.db.models import Q

FIELDS = {
    "lane": "limit_key",
    "note": "status_message",
    "woken": "wake_requested",
    "crashes": "crash_count",
    "tries": "attempts",
}


class Migration(migrations.Migration):
    dependencies = [("operations", "0009_list_indexes")]

    operations = [
        migrations.RemoveIndex("operation", "operation_lane"),
        *(migrations.RenameField("operation", old, new) for old, new in FIELDS.items()),
        migrations.RenameField("concurrencylimit", "most", "max_running"),
        migrations.AddIndex(
            "operation",
            models.Index(
                fields=["limit_key"],
                condition=Q(due_at__isnull=False) & ~Q(limit_key=""),
                name="operation_limit_key",
            ),
        ),
    ]
