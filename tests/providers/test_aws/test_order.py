"""What is ordered at AWS, and that one order is never carried out twice."""

import re
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

from apps.providers.drivers.aws import machines
from apps.providers.drivers.base import OutcomeUnknown, TransientProviderError
from tests.providers.clouds import on_stages
from tests.providers.test_every_driver.patience import gone, raises

pytestmark = on_stages("aws")


# ── once ──────────────────────────────────────────────────────────────────────────────────────────────────────────────
def test_the_same_order_is_the_same_machine(stage, driver):
    first = driver.create(stage.spec())
    assert driver.create(stage.spec()).ref == first.ref
    assert (stage.orders(), stage.creates()) == (2, 1)
    assert driver.create(stage.spec(order="second")).ref != first.ref
    assert stage.creates() == 2


def test_the_same_order_at_the_same_time_is_one_machine(stage, open_driver):
    drivers = [open_driver(stage.connection()) for _ in range(6)]
    with ThreadPoolExecutor(6) as pool:
        made = list(pool.map(lambda driver: driver.create(stage.spec()).ref, drivers))
    assert len(set(made)) == 1 and stage.refs() == made[:1]


def test_an_order_whose_answer_was_lost_can_be_repeated(stage, driver):
    stage.lose_create_answer()
    with raises(OutcomeUnknown, "PROVIDER_ANSWER_LOST"):
        driver.create(stage.spec())
    assert stage.orders() == 1  # nothing below the driver repeats it
    assert [driver.create(stage.spec()).ref] == stage.refs()


def test_an_order_that_reads_otherwise_is_in_doubt(stage, driver):
    first = driver.create(stage.spec())
    with raises(OutcomeUnknown, "PROVIDER_ANSWER_LOST") as caught:
        driver.create(stage.spec(plan=stage.other_plan))
    assert caught.value.data["cloud_code"] == "IdempotentParameterMismatch"
    assert [machine.ref for machine in driver.find("srv-abc123")] == [first.ref]


def test_an_order_whose_machine_is_gone_came_to_nothing(stage, driver):
    gone(driver, driver.create(stage.spec()).ref)
    with raises(TransientProviderError, "PROVIDER_BUSY") as caught:
        driver.create(stage.spec())
    assert caught.value.data["cloud_code"] == "IdempotentInstanceTerminated"
    assert stage.refs() == []
    again = driver.create(stage.spec(order="second"))
    assert stage.refs() == [again.ref]


def test_an_order_s_token_is_its_own(stage):
    spec = stage.spec()
    tokens = [
        machines.token(spec, "inst-1"),
        machines.token(spec, "inst-2"),
        machines.token(replace(spec, order="second"), "inst-1"),
        machines.token(replace(spec, server_id="srv-2"), "inst-1"),
        machines.token(replace(spec, server_id="srv-", order="2first"), "inst-1"),
    ]
    assert len(set(tokens)) == len(tokens)
    assert all(token.isascii() and len(token) <= 64 for token in tokens)


# ── everything on it ──────────────────────────────────────────────────────────────────────────────────────────────────
def test_it_marks_the_machine_and_what_belongs_to_it(stage, driver):
    made = driver.create(stage.spec())
    marks = {"prov-managed": "1", "prov-install": "inst-1", "prov-machine": "srv-abc123", "Name": "web-1"}
    marks |= {"prov-tags": "web,blue"}
    assert stage.tags(made.ref) == marks
    [volume] = stage.ec2.describe_volumes()["Volumes"]
    assert {tag["Key"]: tag["Value"] for tag in volume["Tags"]} == marks
    [call] = stage.proxy.calls(body=stage.create_call.body)
    assert [kind for kind in machines.TAGGED if f"ResourceType={kind}&" not in call.body.decode()] == []


def test_it_orders_one_disk_that_goes_with_the_machine(stage, driver):
    made = driver.create(stage.spec(disk_gib=44))
    [volume] = stage.ec2.describe_volumes()["Volumes"]
    assert (volume["VolumeId"], volume["Size"], volume["VolumeType"]) == (made.disks[0], 44, "gp3")
    [disk] = stage.instance(made.ref)["BlockDeviceMappings"]
    assert disk["Ebs"]["DeleteOnTermination"] is True


def test_it_asks_for_tokens_at_the_metadata_service(stage, driver):
    instance = stage.instance(driver.create(stage.spec()).ref)
    assert instance["MetadataOptions"]["HttpTokens"] == "required"
    assert instance["MetadataOptions"]["HttpEndpoint"] == "enabled"


def test_it_has_a_public_address_in_the_default_subnet(stage, driver):
    made = driver.create(stage.spec())
    instance = stage.instance(made.ref)
    [subnet] = stage.ec2.describe_subnets(SubnetIds=[instance["SubnetId"]])["Subnets"]
    assert subnet["DefaultForAz"] and subnet["AvailabilityZone"] == stage.zone == made.zone
    assert driver.get(made.ref).ip == instance["PublicIpAddress"]


def test_it_leaves_no_key_pair(stage, driver):
    instance = stage.instance(driver.create(stage.spec()).ref)
    assert "KeyName" not in instance and stage.ec2.describe_key_pairs()["KeyPairs"] == []


def test_it_remembers_when_the_machine_was_made(stage, driver):
    made = driver.create(stage.spec())
    restarted = (rb"<launchTime>[^<]*</launchTime>", b"<launchTime>2999-01-01T00:00:00.000Z</launchTime>")
    stage.proxy.fault("edit", body="Action=DescribeInstances&", change=lambda body: re.sub(*restarted, body))
    assert driver.get(made.ref).created_at == made.created_at
