"""Models and kinds under their field's own names; rows are kept."""

from django.db import migrations

OPERATION = "UPDATE operations_operation SET kind = '{1}.refresh' WHERE kind = '{0}.refresh'"
TARGET = "UPDATE operations_operation SET target = replace(target, '{0}:', '{1}:') WHERE target LIKE '{0}:%%'"


class Migration(migrations.Migration):
    dependencies = [("operations", "0007_node_versions_and_tally")]

    operations = [
        migrations.RenameModel("Lane", "ConcurrencyLimit"),
        migrations.RenameModel("Node", "WorkerNode"),
        migrations.RenameModel("Drain", "DrainMode"),
        *(
            migrations.RunSQL(sql.format("catalogue", "catalog"), sql.format("catalog", "catalogue"))
            for sql in (OPERATION, TARGET)
        ),
    ]
