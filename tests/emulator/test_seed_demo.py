"""The demo account belongs to the emulated cloud that it was registered for."""

import pytest
from django.core.management import call_command

from apps.providers.models import CloudAccount
from apps.providers.services import register_account

pytestmark = pytest.mark.django_db


@pytest.fixture
def seed(settings, tmp_path, capsys):
    """Seed as the service of a folder does on a port; return the account's endpoint and the output."""

    def run(folder, port, *arguments):
        settings.EMULATOR_STATE, settings.PORT = tmp_path / folder / "emulator.sqlite3", port
        call_command("seed_demo", *arguments)
        return CloudAccount.objects.get(provider="upcloud").endpoint, capsys.readouterr().out

    return run


def at(port):
    return f"http://127.0.0.1:{port}/emulator/1.3"


def test_the_account_follows_its_emulator_to_another_port(seed):
    assert [seed("mine", port)[0] for port in (8101, 8102, 8101)] == [at(8101), at(8102), at(8101)]


def test_another_folder_on_the_same_database_leaves_the_account_alone(seed):
    seed("first", 8101)
    endpoint, output = seed("second", 8102)
    assert endpoint == at(8101)
    assert "another folder" in output and "--take-over" in output
    seed("second", 8101)
    assert seed("second", 8103)[0] == at(8101), "not even after it has run on the first one's port"
    assert seed("first", 8104)[0] == at(8104), "its own emulator still may"


def test_taking_over_is_asked_for(seed):
    seed("first", 8101)
    assert seed("second", 8102, "--take-over")[0] == at(8102)
    assert seed("first", 8101)[0] == at(8102)
    assert seed("second", 8103)[0] == at(8103)


def test_an_account_that_leads_elsewhere_stays(seed):
    seed("first", 8101)
    elsewhere = "https://api.example.com/1.3"
    register_account(provider="upcloud", name="default", endpoint=elsewhere, credentials={"token": "x"})
    assert seed("first", 8102)[0] == elsewhere


def test_the_note_of_another_database_owns_nothing(seed):
    seed("first", 8101)
    CloudAccount.objects.all().delete()
    seed("second", 8102)
    assert seed("first", 8101)[0] == at(8102)
