from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("operations", "0012_requested_from")]

    operations = [migrations.RenameField("operation", "cancel_asked_at", "cancel_requested_at")]
