"""The model of accounts at clouds gets a name of its own; rows are kept.

It comes after the tables above that refer to it, for those migrations know it by its old name.
"""

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("providers", "0007_account_listing"), ("servers", "0004_server_found_at")]

    operations = [migrations.RenameModel("Account", "CloudAccount")]
