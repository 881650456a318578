from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("providers", "0009_privileged_machines")]

    operations = [migrations.RenameField("cloudaccount", "looked_at", "polled_at")]
