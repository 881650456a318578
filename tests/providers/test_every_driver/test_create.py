"""What every driver writes on a machine, and how it finds it again."""

import ipaddress
from dataclasses import replace

import pytest

from apps.providers.drivers.base import OutcomeUnknown, ProviderError, TransientProviderError
from apps.servers.models import Server
from apps.servers.services.host_keys import new_host_key
from tests.providers.clouds import on_every_stage
from tests.providers.clouds.base import SSH_KEY, USER_DATA, Can
from tests.providers.test_every_driver.patience import raises, until


@on_every_stage()
def test_it_creates_the_machine_that_was_ordered(stage, driver):
    made = driver.create(stage.spec())
    assert list(stage.refs()) == [made.ref] and stage.creates() == stage.orders() == 1
    assert (made.server_id, made.hostname, made.plan, made.zone) == ("srv-abc123", "web-1", stage.plan, stage.zone)
    assert made.state in ("starting", "running")
    assert 0 < len(made.ref) <= Server._meta.get_field("ref").max_length


@on_every_stage()
def test_it_finds_the_machine_by_the_server_s_id(stage, driver, running):
    [found] = driver.find("srv-abc123")
    assert found == driver.get(running.ref) == running
    assert (found.server_id, found.hostname, found.plan, found.zone) == (
        "srv-abc123",
        "web-1",
        stage.plan,
        stage.zone,
    )


@on_every_stage()
def test_it_shows_where_the_machine_is_reached(running):
    assert ipaddress.ip_address(running.ip)
    assert 0 < running.ssh_port < 65536
    assert running.created_at.tzinfo


@on_every_stage()
def test_it_writes_the_tags_on_the_machine(stage, driver):
    made = driver.create(stage.spec())
    assert stage.tags_of(made.ref) == {"web", "blue"}


@on_every_stage()
def test_it_writes_every_tag_that_an_order_may_have(stage, driver):
    tags = ("env:prod", "a/b=c@d-e_f.g", *(f"{number:02}{'t' * 61}" for number in range(18)))
    made = driver.create(stage.spec(tags=tags))
    assert stage.tags_of(made.ref) == set(tags)


@on_every_stage()
def test_it_needs_no_tags_no_user_data_and_no_key(stage, driver):
    made = driver.create(stage.spec(tags=(), user_data="", ssh_keys=()))
    assert [machine.ref for machine in driver.find("srv-abc123")] == [made.ref]


@on_every_stage(Can.SHOW_SSH_KEYS)
def test_it_lets_the_keys_in(stage, driver):
    made = driver.create(stage.spec())
    assert [key.split()[:2] for key in stage.ssh_keys_of(made.ref)] == [SSH_KEY.split()[:2]]


@on_every_stage(Can.SHOW_USER_DATA)
def test_it_hands_over_the_user_data(stage, driver):
    made = driver.create(stage.spec())
    assert stage.user_data_of(made.ref) == USER_DATA


@on_every_stage()
def test_it_gives_the_machine_the_host_key_beside_the_user_data(stage, driver):
    _, private = new_host_key()
    made = driver.create(stage.spec(host_key=private))
    assert stage.host_key_of(made.ref) == private
    assert stage.user_data_of(made.ref) == USER_DATA
    assert private.splitlines()[1] not in repr(stage.spec(host_key=private))


@on_every_stage()
def test_it_gives_no_host_key_that_was_not_ordered(stage, driver):
    assert stage.host_key_of(driver.create(stage.spec()).ref) is None


@on_every_stage()
def test_it_takes_its_default_image_when_none_is_named(stage, driver):
    made = driver.create(stage.spec())
    assert stage.image_of(made.ref) == driver.images()[0].name


@on_every_stage()
def test_it_takes_the_image_that_is_named(stage, driver):
    made = driver.create(stage.spec(image=stage.image))
    assert stage.image_of(made.ref) == stage.image


@on_every_stage()
@pytest.mark.parametrize("hostname", ["web-1.example.test", "w" * 63, "Web-01"])
def test_it_keeps_the_name_as_it_was_ordered(stage, driver, hostname):
    made = driver.create(stage.spec(hostname=hostname))
    assert made.hostname == driver.get(made.ref).hostname == hostname


@on_every_stage()
@pytest.mark.parametrize("wrong", [{"plan": "no-such-plan"}, {"zone": "no-such-zone"}, {"image": "no-such-image"}])
def test_it_is_refused_what_there_is_not_and_makes_nothing(stage, driver, wrong):
    with raises(ProviderError, "PROVIDER_INVALID"):
        driver.create(stage.spec(**wrong))
    assert list(stage.refs()) == list(stage.leftovers()) == []


@on_every_stage()
def test_it_makes_several_machines(stage, driver):
    specs = [stage.spec(server_id=f"srv-{number}", hostname=f"web-{number}", order=f"{number}") for number in range(3)]
    refs = {spec.server_id: driver.create(spec).ref for spec in specs}
    assert set(stage.refs()) == set(refs.values())
    assert {machine.server_id: machine.ref for machine in driver.list()} == refs


# ── find, get and list ────────────────────────────────────────────────────────────────────────────────────────────────
@on_every_stage()
def test_it_knows_no_stranger(stage, driver):
    stranger = stage.make_stranger()
    assert driver.list() == [] and driver.find("srv-abc123") == []
    assert stranger in stage.refs()


@on_every_stage()
def test_it_knows_no_machine_of_another_installation(stage, driver, open_driver):
    neighbour = open_driver(stage.connection(installation=stage.other_installation))
    theirs = neighbour.create(stage.spec(hostname="theirs"))
    assert driver.list() == [] and driver.find("srv-abc123") == []
    ours = driver.create(stage.spec())
    assert [machine.ref for machine in driver.find("srv-abc123")] == [ours.ref]
    assert [machine.ref for machine in neighbour.list()] == [theirs.ref]


@on_every_stage()
def test_it_distinguishes_servers_by_their_whole_id(stage, driver):
    driver.create(stage.spec(server_id="srv-abc1234"))
    assert driver.find("srv-abc123") == [] == driver.find("srv-abc12345")


@on_every_stage(Can.TWINS)
def test_it_finds_both_of_two_machines_with_one_id_oldest_first(stage, driver):
    driver.create(stage.spec())
    until(lambda: driver.find("srv-abc123"))
    driver.create(stage.spec(order="second"))
    found = driver.find("srv-abc123")
    assert len(found) == 2 and {machine.ref for machine in found} == set(stage.refs())
    assert [machine.created_at for machine in found] == sorted(machine.created_at for machine in found)


@on_every_stage(cannot=[Can.TWINS])
def test_it_asks_to_look_where_a_server_cannot_have_two_machines(stage, driver):
    driver.create(stage.spec())
    with raises(OutcomeUnknown, "PROVIDER_ANSWER_LOST"):
        driver.create(stage.spec(order="second"))
    assert len(stage.refs()) == 1


@on_every_stage()
def test_it_knows_nothing_of_a_machine_that_there_is_not(stage, driver, running):
    assert driver.get(stage.nobody) is None
    stage.vanish(running.ref)
    until(lambda: driver.get(running.ref) is None)
    assert driver.find("srv-abc123") == [] == driver.list()


@on_every_stage()
def test_it_lists_states_and_plans_as_the_machine_itself_shows_them(driver, running):
    [listed] = driver.list()
    [told] = [driver.get(running.ref)]
    plain = {"ip": "", "disks": (), "created_at": None, "ssh_port": 22}
    assert replace(listed, **plain) == replace(told, **plain)


@on_every_stage(Can.CUT_LIST)
@pytest.mark.parametrize("ask", [lambda driver: driver.list(), lambda driver: driver.find("srv-abc123")])
def test_it_takes_a_short_list_for_an_error(stage, driver, ask):
    for number in range(3):
        driver.create(stage.spec(server_id="srv-abc123", hostname=f"web-{number}", order=f"{number}"))
    stage.cut_next_list()
    with raises(TransientProviderError, "PROVIDER_UNAVAILABLE"):
        ask(driver)
    stage.heal()
    assert len(ask(driver)) == 3


@on_every_stage()
def test_it_sees_a_machine_stopped_outside(stage, driver, running):
    stage.stop_outside(running.ref)
    assert [machine.state for machine in driver.list()] == ["stopped"]


@on_every_stage(Can.RESIZE)
def test_it_sees_a_machine_resized_outside(stage, driver, running):
    stage.resize_outside(running.ref)
    assert [machine.plan for machine in driver.list()] == [stage.other_plan] == [driver.get(running.ref).plan]
