"""Where AWS's machines are connected, and the one security group that they share."""

import re

import pytest

from apps.providers.drivers.base import ProviderError, TransientProviderError
from tests.providers.clouds import on_stages
from tests.providers.clouds.moto_server import refusal
from tests.providers.test_every_driver.patience import gone, raises

pytestmark = on_stages("aws")
NOTHING = rb"<securityGroupInfo>.*</securityGroupInfo>"


def groups(stage):
    """The installation's groups."""
    wanted = [{"Name": "group-name", "Values": ["prov-inst-1"]}]
    return stage.ec2.describe_security_groups(Filters=wanted)["SecurityGroups"]


def groups_of(stage, machine):
    [interface] = stage.instance(machine.ref)["NetworkInterfaces"]
    return [group["GroupId"] for group in interface["Groups"]]


def made(stage, *, tagged=True):
    """A group of the right name, made past the driver; gives its id."""
    [vpc] = stage.ec2.describe_vpcs()["Vpcs"]
    tags = [{"ResourceType": "security-group", "Tags": [{"Key": "prov-install", "Value": "inst-1"}]}] if tagged else []
    facts = {"GroupName": "prov-inst-1", "Description": "made by hand", "VpcId": vpc["VpcId"]}
    return stage.ec2.create_security_group(**facts, TagSpecifications=tags)["GroupId"]


def ports(group):
    return {(rule["IpProtocol"], rule.get("FromPort"), rule.get("ToPort")) for rule in group["IpPermissions"]}


def test_it_lets_ssh_in_and_machines_reach_each_other(stage, driver):
    machine = driver.create(stage.spec())
    [group] = groups(stage)
    assert groups_of(stage, machine) == [group["GroupId"]]
    rules = {rule["IpProtocol"]: rule for rule in group["IpPermissions"]}
    assert set(rules) == {"tcp", "-1"}
    assert (rules["tcp"]["FromPort"], rules["tcp"]["ToPort"]) == (22, 22)
    assert [one["CidrIp"] for one in rules["tcp"]["IpRanges"]] == ["0.0.0.0/0"]
    assert [one["CidrIpv6"] for one in rules["tcp"]["Ipv6Ranges"]] == ["::/0"]
    assert rules["-1"]["IpRanges"] == []
    assert [one["GroupId"] for one in rules["-1"]["UserIdGroupPairs"]] == [group["GroupId"]]


def test_it_makes_the_group_once(stage, driver):
    for number in range(3):
        driver.create(stage.spec(server_id=f"srv-{number}"))
    gone(driver, driver.create(stage.spec()).ref)
    assert len(groups(stage)) == 1
    assert len(stage.proxy.calls(body="Action=CreateSecurityGroup&")) == 1
    assert len(stage.proxy.calls(body="Action=AuthorizeSecurityGroupIngress&")) == 1


def test_it_finishes_a_group_whose_making_was_cut_short(stage, driver):
    made(stage)
    driver.create(stage.spec())
    [group] = groups(stage)
    assert ports(group) == {("tcp", 22, 22), ("-1", None, None)}


@pytest.mark.parametrize("action", ["CreateSecurityGroup", "AuthorizeSecurityGroupIngress"])
def test_it_goes_on_after_a_lost_answer(stage, driver, action):
    stage.proxy.fault("drop_after_commit", body=f"Action={action}&")
    with raises(TransientProviderError, "PROVIDER_UNREACHABLE"):
        driver.create(stage.spec())
    driver.create(stage.spec())
    [group] = groups(stage)
    assert ports(group) == {("tcp", 22, 22), ("-1", None, None)}
    assert stage.creates() == 1


@pytest.mark.parametrize("action", ["AuthorizeSecurityGroupIngress", "RunInstances"])
def test_it_waits_until_ec2_knows_the_group_that_it_has_made(stage, driver, action):
    unknown = {"status": 400, "text": refusal("InvalidGroup.NotFound"), "content_type": "text/xml"}
    stage.proxy.fault("respond", body=f"Action={action}&", **unknown)
    with raises(TransientProviderError, "PROVIDER_BUSY"):
        driver.create(stage.spec())
    machine = driver.create(stage.spec())
    [group] = groups(stage)
    assert groups_of(stage, machine) == [group["GroupId"]] and len(group["IpPermissions"]) == 2


def test_it_overrules_nobody_who_has_changed_the_rules(stage, driver):
    rule = {"IpProtocol": "tcp", "FromPort": 443, "ToPort": 443, "IpRanges": [{"CidrIp": "192.0.2.0/24"}]}
    stage.ec2.authorize_security_group_ingress(GroupId=made(stage), IpPermissions=[rule])
    driver.create(stage.spec())
    [group] = groups(stage)
    assert ports(group) == {("tcp", 443, 443)}


def test_it_takes_the_group_of_whoever_was_faster(stage, driver):
    known = made(stage)
    hide = {"body": "Action=DescribeSecurityGroups&", "times": 1}
    stage.proxy.fault(
        "edit", **hide, change=lambda body: re.sub(NOTHING, b"<securityGroupInfo/>", body, flags=re.DOTALL)
    )
    machine = driver.create(stage.spec())
    assert groups_of(stage, machine) == [known]
    [group] = groups(stage)
    assert ports(group) == {("tcp", 22, 22), ("-1", None, None)}


def test_it_takes_no_group_that_was_not_made_here(stage, driver):
    made(stage, tagged=False)
    with raises(ProviderError, "PROVIDER_INVALID"):
        driver.create(stage.spec())
    assert stage.orders() == 0


def test_it_says_that_a_zone_has_no_default_subnet(stage, driver):
    wanted = [{"Name": "availability-zone", "Values": [stage.zone]}]
    [subnet] = stage.ec2.describe_subnets(Filters=wanted)["Subnets"]
    stage.ec2.delete_subnet(SubnetId=subnet["SubnetId"])
    with raises(ProviderError, "PROVIDER_INVALID") as caught:
        driver.create(stage.spec())
    assert "default subnet" in str(caught.value) and stage.orders() == 0
