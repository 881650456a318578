"""What the role of HAProxy reads in its statistics; the lines are those of HAProxy 2.6."""

import pytest
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar, trust_as_template

from tests.taskservs.test_options import defaults_of

FRONTEND = "main,FRONTEND,,,0,1,{most},1,106,151,0,0,0,,,,,OPEN,,,,,,,,,1,2,0,,,,0,0,0,1,,,,0,1,0,0,0,0,,,,{mode},,0,1,"
SERVER = "servers,{address},0,0,0,1,,1,106,151,,0,,0,0,0,0,{status},1,1,0,0,0,350,0,,1,3,1,,1,,2,0,,1,{check},200,0,0,1"
BACKEND = "servers,BACKEND,0,0,0,1,300,1,106,151,0,0,,0,0,0,0,UP,2,2,0,,0,350,0,,1,3,0,,1,,1,0,,1,,,,0,1,0"


def read(key, *, servers, most=2000, mode="http", check="L7OK"):
    """Return a variable of the role for the statistics of servers by address, and two servers asked for."""
    lines = [SERVER.format(address=address, status=status, check=check) for address, status in servers.items()]
    content = "\n".join(["# pxname,svname", FRONTEND.format(most=most, mode=mode), *lines, BACKEND, ""])
    known = defaults_of("haproxy") | {"haproxy_stats": {"content": content}, "haproxy_backends": ["b:80", "a:80"]}
    known |= {"ansible_facts": {"processor_vcpus": 2}}
    return Templar(DataLoader(), known).template(trust_as_template("{{ " + key + " }}"))


@pytest.mark.parametrize(
    ("facts", "same"),
    [
        ({"servers": {"a:80": "UP", "b:80": "DOWN"}}, True),
        ({"servers": {"a:80": "UP", "c:80": "UP"}}, False),
        ({"servers": {"a:80": "UP"}}, False),
        ({"servers": {"a:80": "UP", "b:80": "UP"}, "most": 100}, False),
        ({"servers": {"a:80": "UP", "b:80": "UP"}, "mode": "tcp"}, False),
    ],
)
def test_it_compares_the_running_settings_with_those_asked_for(facts, same):
    assert (read("haproxy_running", **facts) == read("haproxy_wanted", servers={})) is same


def test_it_knows_whether_a_server_works():
    assert read("haproxy_works", servers={"a:80": "UP 1/3", "b:80": "DOWN 1/2"}) is True
    assert read("haproxy_works", servers={"a:80": "DOWN", "b:80": "MAINT"}) is False


@pytest.mark.parametrize("check", ["INI", "* INI", "UNK"])
def test_a_server_that_was_not_checked_yet_does_not_count_as_working(check):
    assert read("haproxy_works", servers={"a:80": "UP", "b:80": "UP"}, check=check) is False
