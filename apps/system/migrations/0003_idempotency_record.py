from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("system", "0002_answers")]

    operations = [migrations.RenameModel("Answer", "IdempotencyRecord")]
