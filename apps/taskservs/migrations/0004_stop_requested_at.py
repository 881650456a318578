from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("taskservs", "0003_state_of_each_server")]

    operations = [migrations.RenameField("ansiblerun", "stop_asked_at", "stop_requested_at")]
