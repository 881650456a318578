"""The AWS driver in its surroundings: keys and regions of the account's own, whatever the environment says."""

import re
import subprocess
import sys

import pytest

from apps.providers.drivers import connect
from apps.providers.drivers.aws import driver as module
from apps.providers.drivers.aws.client import Client
from apps.providers.drivers.base import Connection, ProviderError
from tests.providers.clouds import on_stages
from tests.providers.clouds.aws import PERMISSIONS, REGION
from tests.providers.test_every_driver.patience import gone, raises

KEYS = {"access_key_id": "AKIAEXAMPLE", "secret_access_key": "very-secret", "regions": REGION}
ELSEWHERE = "us-east-1"


def opened(**changes):
    given = {"endpoint": "", "credentials": KEYS, "installation": "inst-1"}
    return connect("aws", Connection(**given | changes))


def both(stage):
    return stage.connection().credentials | {"regions": f"{REGION}, {ELSEWHERE}"}


def test_it_costs_no_import_before_it_is_used():
    program = "import sys, apps.providers.drivers; print([name for name in sys.modules if name.startswith('boto')])"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize(
    "regions", ["", " , ", "ireland", "eu-west-1a", "eu-west-1;us-east-1", "eu-west-1.evil.example"]
)
def test_it_refuses_regions_that_are_none(regions):
    with raises(ProviderError, "PROVIDER_INVALID"):
        opened(credentials=KEYS | {"regions": regions})


@pytest.mark.parametrize(
    "endpoint", ["ftp://x", "https://u:p@host", "https://host/?a=1", "https://a_b", "http://h:99999"]
)
def test_it_refuses_an_endpoint_that_is_none(endpoint):
    with raises(ProviderError, "PROVIDER_INVALID") as caught:
        opened(endpoint=endpoint)
    assert endpoint not in str(caught.value)


@pytest.mark.parametrize(
    "wrong", [{"access_key_id": "AKIA X"}, {"secret_access_key": "a\nb"}, {"session_token": "a b"}], ids=str
)
def test_it_refuses_keys_that_cannot_be_sent(wrong):
    with raises(ProviderError, "PROVIDER_AUTH") as caught:
        opened(credentials=KEYS | wrong)
    assert not [secret for secret in wrong.values() if secret in str(caught.value)]


@on_stages("aws")
def test_it_minds_no_environment(stage, monkeypatch, tmp_path, open_driver):
    config = tmp_path / "config"
    config.write_text("[default]\nregion = sa-east-1\nendpoint_url = http://127.0.0.1:9\nmax_attempts = 9\n")
    connection = stage.connection()
    environment = {
        "AWS_ENDPOINT_URL": "http://127.0.0.1:9",
        "AWS_ENDPOINT_URL_EC2": "http://127.0.0.1:9",
        "AWS_PROFILE": "nobody",
        "AWS_ACCESS_KEY_ID": "AKIANOBODY",
        "AWS_SECRET_ACCESS_KEY": "nothing",
        "AWS_SESSION_TOKEN": "nothing",
        "AWS_CONFIG_FILE": str(config),
        "AWS_SHARED_CREDENTIALS_FILE": str(config),
        "AWS_MAX_ATTEMPTS": "9",
        "HTTP_PROXY": "http://127.0.0.1:9",
        "http_proxy": "http://127.0.0.1:9",
    }
    with monkeypatch.context() as patched:
        for name, value in environment.items():
            patched.setenv(name, value)
        open_driver(connection).check()
    [call] = stage.proxy.calls()
    assert stage.keys[0] in str(call.headers) and "nothing" not in str(call.headers)


def test_it_goes_to_aws_itself_where_no_endpoint_is_given(monkeypatch):
    for name in ("AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_EC2"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    client = Client(Connection(endpoint="", credentials=KEYS, installation="inst-1"))
    assert client._client(REGION).meta.endpoint_url == "https://ec2.eu-west-1.amazonaws.com"
    client.close()


@on_stages("aws")
def test_it_sends_the_token_of_a_temporary_key(stage, open_driver):
    connection = stage.connection(credentials=KEYS | {"session_token": "very-temporary"})
    stage.tell("reset-auth", "inf")
    open_driver(connection).check()
    assert stage.proxy.calls(head="X-Amz-Security-Token: very-temporary")


@on_stages("aws")
def test_it_names_what_a_key_may_not_do(stage, open_driver):
    key, secret = stage.user("reader", [name for name in PERMISSIONS if name.startswith("Describe")])
    keys = {"access_key_id": key, "secret_access_key": secret, "regions": REGION}
    driver = open_driver(stage.connection(credentials=keys))
    driver.check()
    with raises(ProviderError, "PROVIDER_FORBIDDEN"):
        driver.create(stage.spec())
    assert stage.refs() == []


@on_stages("aws")
def test_it_needs_the_documented_permissions_and_no_others(stage, driver):
    """The stage's key may do nothing else; so this is about needing all of it."""
    for read in (driver.check, driver.plans, driver.images, driver.list):
        read()
    ref = driver.create(stage.spec()).ref
    for change in (driver.reboot, driver.stop, driver.start):
        change(ref)
    marks = [{"Key": key, "Value": value} for key, value in stage.tags(ref).items()]
    left = [{"ResourceType": "volume", "Tags": marks}]
    stage.ec2.create_volume(AvailabilityZone=stage.zone, Size=1, TagSpecifications=left)
    gone(driver, ref)
    asked = {re.search(r"Action=(\w+)", call.body.decode())[1] for call in stage.proxy.calls()}
    assert asked | {"CreateTags"} == set(PERMISSIONS)  # EC2 asks for CreateTags where a thing is made with its tags


@on_stages("aws")
def test_it_works_in_each_of_its_regions(stage, open_driver):
    driver = open_driver(stage.connection(credentials=both(stage)))
    assert {zone.name[:-1] for zone in driver.zones()} == {REGION, ELSEWHERE}
    here = driver.create(stage.spec())
    there = driver.create(stage.spec(server_id="srv-2", zone=f"{ELSEWHERE}b"))
    assert (here.ref.partition("/")[0], there.ref.partition("/")[0]) == (REGION, ELSEWHERE)
    assert {machine.ref for machine in driver.list()} == {here.ref, there.ref}
    assert [machine.ref for machine in driver.find("srv-2")] == [there.ref]
    assert driver.get(there.ref).zone == f"{ELSEWHERE}b"
    gone(driver, there.ref, server_id="srv-2")
    assert [machine.ref for machine in driver.list()] == [here.ref]


@on_stages("aws")
def test_it_still_reaches_a_machine_whose_region_was_taken_from_the_account(stage, driver, open_driver):
    there = open_driver(stage.connection(credentials=both(stage))).create(stage.spec(zone=f"{ELSEWHERE}a"))
    assert driver.list() == []
    assert driver.get(there.ref).ref == there.ref
    gone(driver, there.ref)
    assert driver.get(there.ref) is None


@on_stages("aws")
@pytest.mark.parametrize("zone", [f"{ELSEWHERE}a", "nowhere", REGION, f"{REGION}z"])
def test_it_refuses_zones_that_the_account_has_not(stage, driver, zone):
    with raises(ProviderError, "PROVIDER_INVALID"):
        driver.create(stage.spec(zone=zone))
    assert stage.orders() == 0


@on_stages("aws")
@pytest.mark.parametrize("ref", ["", "i-0123456789abcdef0", f"{REGION}/vol-0123456789abcdef0", f"{REGION}/i-*"])
def test_it_refuses_refs_that_are_none(driver, ref):
    with raises(ProviderError, "PROVIDER_INVALID"):
        driver.get(ref)


@on_stages("aws")
def test_it_lists_more_than_one_page(stage, driver, monkeypatch):
    monkeypatch.setattr(module, "PAGE", 5)
    made = {driver.create(stage.spec(server_id=f"srv-{number}")).ref for number in range(11)}
    stage.proxy.forget_calls()
    assert {machine.ref for machine in driver.list()} == made
    assert len(stage.proxy.calls(body=stage.list_call.body)) == 3
