"""What check mode and refusals say of an order before anything is made."""

import pytest

from apps.operations.models import Operation
from apps.providers.models import Image
from apps.servers import services
from apps.servers.models import Server
from tests.refusals import refused


@pytest.fixture
def families(account):
    """Offer plans that are not named by their size, as AWS does."""
    account.plans.all().delete()
    account.plans.create(name="t3.medium", cpus=2, memory_mib=4096, disk_gib=30)
    account.plans.create(name="m5.24xlarge", cpus=96, memory_mib=393216, disk_gib=30)
    account.plans.create(name="t3.nano", cpus=2, memory_mib=512, disk_gib=30)


@pytest.mark.parametrize(
    ("plan", "message"),
    [
        ("2xCPU-4BG", "Did you mean 2xCPU-4GB"),
        ("t3.medum", "Did you mean t3.medium"),
        ("128xCPU-4GB", "the largest has 96 CPUs and 384 GiB of memory"),
        ("zzzzzz", "It has t3.nano, t3.medium, m5.24xlarge."),
    ],
)
def test_it_suggests_what_was_meant_by_either_name(families, api, alice, body, plan, message):
    answer = refused(api(alice).post("/v1/servers/create", {**body, "plan": plan}), 400, "VALIDATION_ERROR")
    assert message in answer["details"]["plan"][0]
    assert "-0GB" not in answer["details"]["plan"][0]


@pytest.fixture
def check(alice, body, account):
    """Ask in check mode for a server of an image."""

    def ask(image):
        return services.create_server(actor=alice, **{**body, "check_mode": True}, image=image)

    return ask


def test_check_mode_names_the_image(check, account, run_worker):
    image = account.images.first().name
    operation = check(image)
    run_worker()
    operation.refresh_from_db()
    assert operation.result["changes"][0]["image"] == image
    assert not Server.objects.exists()


def test_check_mode_fails_when_the_cloud_no_longer_has_the_image(check, account, run_worker):
    Image.objects.create(account=account, name="01000000-0000-4000-8000-00000000dead", title="Gone")
    check("01000000-0000-4000-8000-00000000dead")
    run_worker()
    ended = Operation.objects.get()
    assert (ended.status, ended.error_code) == ("failed", "PROVIDER_INVALID")
    assert "no longer has the image" in ended.error
