"""The emulated cloud's memory: it outlives the server process, and many may use it at once."""

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.conf import settings
from django.test import override_settings

from apps.emulator import state
from tests.providers.cloud import Cloud
from tests.providers.emulator_fixtures import serving

MAKE_SERVERS = """
import os, sys
os.environ["DJANGO_SETTINGS_MODULE"] = "provisioning.settings"
import django
from django.test import Client
django.setup()
from tests.providers.cloud import server_body
client = Client(headers={"Authorization": "Bearer ucat_emulator"})
print("ready", flush=True)
sys.stdin.readline()
for number in range(15):
    body = server_body(f"{sys.argv[1]}-{number}")
    answer = client.post("/emulator/1.3/server", body, content_type="application/json")
    assert answer.status_code == 202, answer.content
"""


def public_ips(cloud):
    return [server["ip_addresses"]["ip_address"][0]["address"] for server in cloud.servers()]


@pytest.fixture
def own_state(tmp_path):
    with override_settings(EMULATOR_STATE=tmp_path / "new" / "cloud.sqlite3", EMULATOR_BOOT_SECONDS=0):
        yield settings.EMULATOR_STATE


def test_it_keeps_servers_over_a_restart(own_state):
    with serving() as root:
        cloud = Cloud(root)
        uuid = cloud.create("web-1", {"prov-machine": "m-1"})["uuid"]
        cloud.request("POST", f"/server/{uuid}/stop")
        cloud.set(boot_seconds=3)
        cloud.close()
    with serving() as root:
        cloud = Cloud(root)
        (server,) = cloud.servers()
        assert (server["uuid"], server["state"]) == (uuid, "stopped")
        assert {"key": "prov-machine", "value": "m-1"} in server["labels"]["label"]
        assert cloud.set()["boot_seconds"] == 3
        assert cloud.create("web-2")["ip_addresses"]["ip_address"][0]["address"] == "127.77.0.3"
        cloud.close()


def test_it_passes_over_addresses_still_held_when_it_has_been_through_all(cloud):
    held = [cloud.create(f"h{number}")["ip_addresses"]["ip_address"][0]["address"] for number in range(2)]
    with state.changing() as db:
        db.execute("DELETE FROM counters")
    cloud.create("h3")
    assert public_ips(cloud) == [*held, "127.77.0.4"]


def test_it_gives_threads_distinct_addresses(cloud):
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda number: cloud.create(f"h{number}"), range(40)))
    assert len(set(public_ips(cloud))) == len(cloud.creates()) == 40


def test_it_gives_processes_distinct_addresses_even_out_of_a_new_file(own_state):
    environment = {"ENVIRONMENT": "development", "EMULATOR_STATE": str(own_state), "EMULATOR_MACHINES": "none"}
    environment |= {"PYTHONPATH": str(settings.BASE_DIR)}
    processes = [
        subprocess.Popen(
            [sys.executable, "-W", "ignore", "-c", MAKE_SERVERS, name],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=settings.BASE_DIR,
            env=environment,
        )
        for name in ("aa", "bb")
    ]
    for process in processes:
        assert process.stdout.readline() == "ready\n"
    for process in processes:
        process.stdin.write("go\n")
        process.stdin.flush()
    for process in processes:
        process.communicate(timeout=30)
        assert process.returncode == 0
    with serving() as root:
        cloud = Cloud(root)
        assert len(set(public_ips(cloud))) == len(cloud.creates()) == 30
        cloud.close()


def test_it_boots_by_the_clock_and_not_by_the_process(own_state):
    with override_settings(EMULATOR_BOOT_SECONDS=60), serving() as root:
        cloud = Cloud(root)
        cloud.create()
        cloud.close()
    with serving() as root:
        cloud = Cloud(root)
        assert cloud.servers()[0]["state"] == "maintenance"
        cloud.close()
