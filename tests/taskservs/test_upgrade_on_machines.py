"""Upgrades on real machines: a package of two versions, from a repository of our own."""

from urllib.parse import quote

import pytest
import yaml

from apps.operations.models import Event, Operation
from apps.taskservs.models import Installation, Taskserv
from tests.providers.clouds.local import gateway, usable_engine
from tests.refusals import refused
from tests.ssh import Client
from tests.taskservs.apt_repository import NAME, PASSWORD, REFUSAL, USER, apt_repository
from tests.taskservs.playing import role

pytestmark = pytest.mark.slow

ENTRY = {
    **{"name": NAME, "title": "A greeter", "description": "Greets.", "category": "system"},
    **{"versions": ["1.0", "2.0"], "default_version": "1.0", "systems": ["debian-12"]},
    **{"servers": {"min": 1, "max": 9}, "roles": ["primary", "replica"], "requires": [], "conflicts": []},
    **{"endpoints": [], "needs": [], "options": {}},
}
INSTALL = {
    "name": "Install packages",
    "ansible.builtin.import_role": {"name": "install_packages"},
    "vars": {
        "install_packages_names": ["greeter={{ greeter_version }}"],
        "install_packages_source": {
            "name": NAME,
            "uri": "http://localhost/",
            "suite": "./",
            "key": "http://localhost/",
        },
    },
}
VERIFY = [
    {
        "name": "Ask for the version",
        "ansible.builtin.command": {"argv": ["greeter"]},
        "register": "greeter_said",
        "changed_when": False,
        "failed_when": "greeter_said.stdout != greeter_version",
        "when": "not ansible_check_mode",
    }
]
REMOVE = [
    {
        "name": "Remove packages",
        "ansible.builtin.import_role": {"name": "remove_packages"},
        "vars": {"remove_packages_names": [NAME], "remove_packages_source": NAME},
    }
]
VERSION = f"dpkg-query --show --showformat='${{Version}} ${{db:Status-Status}}' {NAME}"


@pytest.fixture
def greeters(ansible, real_servers, package_proxy, tmp_path, settings):
    """Three servers, and a catalog with a taskserv of two versions."""
    servers = real_servers("web-01", "web-02", "web-03")
    role(tmp_path / "catalog", NAME, install=[INSTALL], configure=[], start=[], verify=VERIFY, remove=REMOVE)
    (tmp_path / "catalog" / NAME / "taskserv.yaml").write_text(yaml.safe_dump(ENTRY))
    (tmp_path / "catalog" / NAME / "defaults").mkdir()
    (tmp_path / "catalog" / NAME / "defaults" / "main.yml").write_text('greeter_version: "1.0"\n')
    settings.TASKSERV_PATHS = [str(tmp_path / "catalog")]
    (tmp_path / "repository").mkdir()
    with apt_repository(tmp_path / "repository", ENTRY["versions"]) as place:
        url = f"http://{USER}:{quote(PASSWORD)}@{gateway(usable_engine())}:{place}/"
        source = {"mirror": url, "key": f"{url}key.asc"}
        settings.TASKSERV_PACKAGE_SOURCES = {"proxy": package_proxy, NAME: source}
        yield servers


def test_an_upgrade_takes_one_server_at_a_time_and_the_primary_last(greeters, ansible, api, alice, ask, tmp_path):
    one, two, three = greeters
    ssh, client = Client.of(one.workspace, tmp_path), api(alice)

    def touched(operation):
        """The servers that an operation has worked on, in order."""
        events = [event.data for event in Event.objects.filter(operation=operation).order_by("seq")]
        return list(dict.fromkeys(data["server"] for data in events if data.get("task") == "Install packages"))

    def installed():
        return [ssh.run(server, VERSION) for server in greeters]

    made = ansible.finish(ask(NAME, ["web-01", "web-02", "web-03"]))
    assert made.status == "completed", made.error
    url = f"/v1/taskservs/{made.result['taskserv_id']}/upgrade"
    assert installed() == ["1.0 installed"] * 3
    assert Event.objects.filter(message__contains="Fetch the keys of package sources: not yet").count() == 1
    for server in greeters:
        found = ssh.run(
            server, f"grep -rl '{PASSWORD[2:]}' /etc /var/lib/apt /var/log /root; stat -c %a /etc/apt/auth.conf.d/*"
        )
        assert found.split() == [f"/etc/apt/auth.conf.d/{NAME}.conf", "600"]
    everything = str([*Operation.objects.values(), *Event.objects.values()])
    assert PASSWORD[2:] not in everything and quote(PASSWORD) not in everything

    # One that fails stops the rest: the primary keeps its version.
    ssh.run(two, f"touch {REFUSAL}")
    failed = ansible.finish(client.post(url, {"version": "2.0"}))
    assert (failed.status, failed.error_code) == ("failed", "TASK_FAILED") and failed.error.startswith("web-02")
    assert touched(failed) == ["web-03", "web-02"]
    assert installed() == ["1.0 installed", "1.0 installed", "2.0 installed"]
    rows = Installation.objects.order_by("position")
    assert list(rows.values_list("version", "state")) == [("1.0", "running"), ("1.0", "failed"), ("2.0", "running")]

    # The next one goes on where it is not done.
    ssh.run(two, f"rm {REFUSAL}")
    done = ansible.finish(client.post(url, {"version": "2.0"}))
    assert done.status == "completed", done.error
    assert touched(done) == ["web-02", "web-01"]
    assert installed() == ["2.0 installed"] * 3
    assert Taskserv.objects.get().status == "running"

    # A lower version is refused without force.
    assert refused(client.post(url, {"version": "1.0"}), 409, error="OLDER_VERSION")
    back = ansible.finish(client.post(url, {"version": "1.0", "force": True}))
    assert back.status == "completed", back.error
    assert touched(back) == ["web-03", "web-02", "web-01"]
    assert installed() == ["1.0 installed"] * 3
    assert ansible.finish(client.delete(f"/v1/taskservs/{made.result['taskserv_id']}")).status == "completed"
    for server in greeters:
        assert ssh.tried(server, f"ls /etc/apt/*/{NAME}*").stdout == ""
