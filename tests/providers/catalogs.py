"""An account's catalog, read from its cloud by the first test that needs it and copied for the others."""

from django.forms.models import model_to_dict
from django.utils import timezone

from apps.operations.models import Operation
from apps.providers.models import CloudAccount, Image, Plan, Zone
from apps.providers.services import refresh_catalog, store_catalog

MODELS = {"plans": Plan, "zones": Zone, "images": Image}
known = {}


def read_catalog(account, run_worker):
    """Give the account what its cloud offers: the same to every account there, on a stage that was just reset."""
    if account.provider not in known:
        refresh_catalog(account=account)
        run_worker()
        [read] = Operation.objects.all()
        assert read.status == "completed", (read.error_code, read.error)
        read.delete()
        known[account.provider] = {
            name: [model_to_dict(row, exclude=["id", "account"]) for row in model.objects.filter(account=account)]
            for name, model in MODELS.items()
        }
    else:
        rows = {
            name: [MODELS[name](account=account, **values) for values in found]
            for name, found in known[account.provider].items()
        }
        store_catalog(account=account, **rows)
        CloudAccount.objects.filter(pk=account.pk).update(problem="", checked_at=timezone.now())
    account.refresh_from_db()
