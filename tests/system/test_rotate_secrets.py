"""manage.py rotate_secrets: every secret sealed anew with the first key, while others write."""

from io import StringIO

import pytest
from django.apps import apps
from django.core.management import CommandError, call_command
from django.db import connection

from apps.providers.models import CloudAccount
from apps.servers.models import Server
from apps.system import key_rotation
from apps.system.encryption import SealBroken, is_current, seal, secret_fields, unseal
from apps.workspaces.models import Workspace
from apps.workspaces.services import private_key
from tests.servers.fleet import machine, place

pytestmark = pytest.mark.django_db
OLD, NEW = "the-old-key", "the-new-key"


@pytest.fixture(autouse=True)
def old_key(settings):
    settings.CREDENTIALS_KEYS = [OLD]


@pytest.fixture
def secrets(old_key):
    """One secret of each kind, sealed with the old key; gives a function that opens them all."""
    server = machine("web-01")
    Server.objects.filter(pk=server.pk).update(sealed_user_data=seal("#cloud-config"))
    CloudAccount.objects.filter(pk=server.account_id).update(sealed_credentials=seal({"token": "t"}))
    key = private_key(server.workspace)

    def opened():
        account, machine = CloudAccount.objects.get(), Server.objects.get()
        assert private_key(Workspace.objects.get()) == key
        return unseal(account.sealed_credentials, what=account), unseal(machine.sealed_user_data, what=machine)

    return opened


def rotate(*arguments):
    """Run the command; gives its exit code, what it printed, and what it complained of."""
    out, err = StringIO(), StringIO()
    try:
        call_command("rotate_secrets", *arguments, stdout=out, stderr=err)
    except CommandError as error:
        return error.returncode, out.getvalue(), f"{err.getvalue()}{error}"
    return 0, out.getvalue(), err.getvalue()


def first_changing(changed):
    """Change the account's credentials just before they would be sealed anew."""

    def execute_after(execute, sql, params, many, context):
        if sql.startswith('UPDATE "providers_cloudaccount"') and changed not in params:
            CloudAccount.objects.update(sealed_credentials=changed)
        return execute(sql, params, many, context)

    return execute_after


def test_it_lets_the_old_key_be_removed(secrets, settings):
    settings.CREDENTIALS_KEYS = [NEW, OLD]
    code, printed, complaint = rotate()
    assert (code, complaint) == (0, "")
    assert sorted(printed.splitlines()) == [
        "providers.CloudAccount.sealed_credentials: 1 re-encrypted, 0 were already",
        "servers.Server.sealed_host_key: 0 re-encrypted, 0 were already",
        "servers.Server.sealed_user_data: 1 re-encrypted, 0 were already",
        "taskservs.AnsibleRun.sealed_request: 0 re-encrypted, 0 were already",
        "taskservs.Taskserv.sealed_previous: 0 re-encrypted, 0 were already",
        "taskservs.Taskserv.sealed_secrets: 0 re-encrypted, 0 were already",
        "workspaces.Workspace.sealed_ssh_key: 1 re-encrypted, 0 were already",
    ]
    settings.CREDENTIALS_KEYS = [NEW]
    assert secrets() == ({"token": "t"}, "#cloud-config")


def test_it_begins_where_no_key_was_configured(settings):
    settings.CREDENTIALS_KEYS = []
    key = private_key(place("production"))
    settings.CREDENTIALS_KEYS = [NEW, settings.SECRET_KEY]
    assert rotate()[0] == 0
    settings.CREDENTIALS_KEYS = [NEW]
    assert private_key(Workspace.objects.get()) == key


def test_it_changes_nothing_when_run_again(secrets, settings):
    settings.CREDENTIALS_KEYS = [NEW, OLD]
    rotate()
    before = CloudAccount.objects.get().sealed_credentials
    code, printed, _ = rotate()
    assert code == 0 and printed.count("0 re-encrypted, 1 were already") == 3
    assert CloudAccount.objects.get().sealed_credentials == before


def test_it_only_counts_in_a_check(secrets, settings):
    settings.CREDENTIALS_KEYS = [NEW, OLD]
    before = CloudAccount.objects.get().sealed_credentials
    code, printed, complaint = rotate("--check")
    assert code == 1 and printed.count("1 to be re-encrypted, 0 are already") == 3
    assert "3 are not sealed with the first key" in complaint
    assert CloudAccount.objects.get().sealed_credentials == before
    rotate()
    assert rotate("--check")[0] == 0


def test_it_keeps_what_is_changed_meanwhile(secrets, settings):
    settings.CREDENTIALS_KEYS = [NEW, OLD]
    changed = seal({"token": "changed"})

    with connection.execute_wrapper(first_changing(changed)):
        code, printed, _ = rotate()
    assert code == 0 and "sealed_credentials: 0 re-encrypted, 0 were already, 1 changed meanwhile" in printed
    assert CloudAccount.objects.get().sealed_credentials == changed


def test_it_fails_when_a_change_meanwhile_is_sealed_with_the_old_key(secrets, settings):
    """A process that has not been restarted yet does so."""
    changed = seal({"token": "changed"})
    settings.CREDENTIALS_KEYS = [NEW, OLD]

    with connection.execute_wrapper(first_changing(changed)):
        code, _, complaint = rotate()
    assert code == 1 and "1 are not sealed with the first key" in complaint
    assert rotate()[0] == 0


def test_it_names_what_no_key_opens_after_all_others(secrets, settings):
    settings.CREDENTIALS_KEYS = ["somebody-else-s"]
    lost = seal({"token": "lost"})
    CloudAccount.objects.update(sealed_credentials=lost)
    settings.CREDENTIALS_KEYS = [NEW, OLD]
    code, printed, complaint = rotate()
    assert code == 1 and printed.count("1 re-encrypted") == 2
    account = CloudAccount.objects.get()
    assert f"no key opens providers.CloudAccount {account.pk} (UpCloud), sealed_credentials" in complaint
    assert "1 cannot be opened: put their key back" in complaint
    assert account.sealed_credentials == lost
    with pytest.raises(SealBroken):
        unseal(lost, what=account)


def test_it_goes_through_more_than_a_batch(settings, monkeypatch):
    for number in range(5):
        private_key(place(f"team-{number}"))
    settings.CREDENTIALS_KEYS = [NEW, OLD]
    monkeypatch.setattr(key_rotation, "BATCH", 2)
    assert "sealed_ssh_key: 5 re-encrypted" in rotate()[1]
    assert all(is_current(each.sealed_ssh_key) for each in Workspace.objects.all())


def test_it_knows_every_place_where_secrets_are_kept():
    fields = {
        (model._meta.label, field.name)
        for model in apps.get_models()
        for field in model._meta.get_fields()
        if field.name.startswith("sealed_")
    }
    assert {(each.model, each.field) for each in secret_fields()} == fields
    assert len(secret_fields()) == len(fields)
