"""Taskservs on local machines: beside plain `ansible-playbook`, a cluster from nothing, and many installs at once."""

from __future__ import annotations

import json
import os
import shlex
import signal
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import httpx
import yaml

import bench.stage  # noqa: F401 - sets which settings there are, before anything reads them
from apps.taskservs.catalog_loader import ROOT
from bench.boots import log_in, scratch_database

SERVERS, MEMBERS, INSTALLS, CREATIONS, CREATION_SECONDS = 10, 3, 20, 60, 1.0
ROUNDS = int(os.environ.get("TASKSERV_ROUNDS", "2"))
PROMISED_RATIO, PROMISED_CLUSTER_SECONDS, PROMISED_START_SECONDS = 1.15, 60, 1.0
STAGES = ("install", "configure", "start", "verify")
PATIENCE, NICE = 1800, 5
LOCAL = {"workspace": "production", "provider": "local", "plan": "1xCPU-1GB", "zone": "local"}
EMULATED = {"workspace": "production", "provider": "upcloud", "plan": "1xCPU-1GB", "zone": "de-fra1"}


def main() -> None:
    """Serve the project with two workers, and measure."""
    from docker.errors import DockerException

    try:
        engine = usable_engine()
    except (SystemExit, DockerException) as error:
        print(f"\ntaskservs: left out, {error}")
        return
    with (
        scratch_database(os.environ["DATABASE_URL"]) as url,
        TemporaryDirectory() as folder,
        served(url, Path(folder), engine) as bench,
    ):
        bench.compare()
        bench.form_cluster()
        bench.crowd()


def usable_engine() -> str:
    """Return the endpoint of this machine's container engine. Raises SystemExit with the reason where there is none."""
    import django

    django.setup()
    from apps.operations.errors import StepError
    from apps.providers.drivers.base import Connection
    from apps.providers.drivers.local import Local

    driver = Local(Connection(endpoint="", credentials={}, installation="bench"))
    try:
        driver.check()
    except StepError as error:
        raise SystemExit(error.message) from None
    finally:
        driver.close()
    return driver._engine.endpoint


@contextmanager
def served(url: str, folder: Path, engine: str) -> Iterator[Bench]:
    """Serve the whole project on a free port; at the end nothing of it is left on the engine."""
    from tests.providers.clouds.local import clear, usable_engine
    from tests.taskservs.apt_proxy import apt_proxy
    from tests.taskservs.role_runs import CACHE

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    installation = f"bench-{os.getpid()}"
    with apt_proxy(CACHE) as packages:
        sources = {"proxy": f"http://{gateway()}:{packages}"}
        environment = {**os.environ, "PORT": str(port), "WORKERS": "2", "VAR_DIR": str(folder), "DATABASE_URL": url}
        environment |= {"EMULATOR_MACHINES": "none", "EMULATOR_BOOT_SECONDS": "1", "INSTALLATION": installation}
        environment |= {"TASKSERV_PACKAGE_SOURCES": json.dumps(sources), "DOCKER_HOST": engine}
        with (folder / "output").open("w") as output:
            service = subprocess.Popen(
                [sys.executable, "manage.py", "dev"], env=environment, stdout=output, stderr=output
            )
        try:
            with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=60, trust_env=False) as client:
                log_in(client)
                yield Bench(client, environment, folder, sources)
        finally:
            service.send_signal(signal.SIGINT)
            service.wait(60)
            clear(usable_engine(), installation)


def gateway() -> str:
    """Return the address at which local machines reach this one."""
    from ipaddress import IPv4Network

    from django.conf import settings

    from tests.providers.clouds.local import gateway, usable_engine

    try:
        return gateway(usable_engine())
    except ValueError:  # there is no network before the first machine
        return str(IPv4Network(settings.LOCAL_SUBNET)[1])


class Bench:
    """The measurements, each on machines of its own."""

    def __init__(self, client: httpx.Client, environment: dict[str, str], folder: Path, sources: dict[str, str]):
        self.client, self.environment, self.folder, self.sources = client, environment, folder, sources
        self.until(lambda: self.post("/v1/servers/create", {**LOCAL, "hostname": "check", "check_mode": True}))

    # ── the service ───────────────────────────────────────────────────────────────────────────────────────────────────
    def post(self, path: str, body: dict[str, Any]) -> str:
        """Submit; returns the operation's id, nothing for a refusal."""
        answer = self.client.post(path, json=body)
        return str(answer.json()["id"]) if answer.is_success else ""

    def until(self, true: Callable[[], Any]) -> Any:
        """Wait until it is true; returns what it gives."""
        give_up = time.monotonic() + PATIENCE
        while not (found := true()):
            if time.monotonic() > give_up:
                raise SystemExit("it did not come about")
            time.sleep(0.1)
        return found

    def finished(self, ids: list[str]) -> list[dict[str, Any]]:
        """Wait for operations; returns them. Raises SystemExit when one has not completed."""
        found = [self.until(lambda id=id: self.ended(id)) for id in ids]  # type: ignore[misc]
        for operation in found:
            if operation["status"] != "completed":
                raise SystemExit(f"{operation['id']} {operation['status']}: {operation['error']}")
        return found

    def ended(self, id: str) -> dict[str, Any] | None:
        """Return an operation that is over."""
        operation: dict[str, Any] = self.client.get(f"/v1/operations/{id}").raise_for_status().json()
        return operation if operation["status"] in ("completed", "failed", "cancelled") else None

    def machines(self, name: str, count: int) -> list[str]:
        """Create local machines; returns their hostnames once all run."""
        names = [f"{name}-{number:02}" for number in range(1, count + 1)]
        self.finished([self.post("/v1/servers/create", {**LOCAL, "hostname": each}) for each in names])
        return names

    def remove(self, names: list[str]) -> None:
        """Delete servers with what is on them."""
        ids = {each["hostname"]: each["id"] for each in self.client.get("/v1/servers").json()}
        for each in names:
            path = f"/v1/servers/{ids[each]}"
            body = {"workspace": "production", "server_id": ids[each], "force": True}
            self.client.request("DELETE", path, json=body).raise_for_status()
        self.until(lambda: not {each["hostname"] for each in self.client.get("/v1/servers").json()} & set(names))

    def install(self, taskserv: str, names: list[str]) -> str:
        """Submit an installation."""
        body = {"workspace": "production", "name": taskserv, "servers": names}
        return self.until(lambda: self.post("/v1/taskservs/create", body))

    # ── beside plain Ansible ──────────────────────────────────────────────────────────────────────────────────────────
    def compare(self) -> None:
        """Install redis on new machines, by the service and by `ansible-playbook` in turn."""
        self.one_round("warm", self.by_service)  # fetches the packages
        times: dict[str, list[float]] = {"by_service": [], "by_playbook": []}
        for number in range(ROUNDS):
            order = [self.by_service, self.by_playbook]
            for way in order if number % 2 == 0 else reversed(order):
                times[way.__name__].append(self.one_round(f"{way.__name__[3:]}-{number}", way))
        service, plain = (statistics.median(times[name]) for name in ("by_service", "by_playbook"))
        shown = {name: ", ".join(f"{each:.1f}" for each in values) for name, values in times.items()}
        print(f"\nredis on {SERVERS} new local machines, {ROUNDS} rounds in turn")
        print(f"  the service {service:.1f} s ({shown['by_service']})")
        print(f"  ansible-playbook {plain:.1f} s ({shown['by_playbook']})")
        print(f"  ratio {service / plain:.2f} (of {PROMISED_RATIO})", flush=True)

    def one_round(self, name: str, install: Callable[[list[str]], None]) -> float:
        """Return the seconds of one way on new machines."""
        names = self.machines(name, SERVERS)
        begin = time.monotonic()
        install(names)
        took = time.monotonic() - begin
        self.remove(names)
        return took

    def by_service(self, names: list[str]) -> None:
        """Install by the service."""
        self.finished([self.install("redis", names)])

    def by_playbook(self, names: list[str]) -> None:
        """Run the same files of the same role with the same variables, as nice as the service runs Ansible."""
        keys = self.folder / "keys"
        config = self.manage("ssh_config", "--keys", str(keys))
        (self.folder / "ssh.conf").write_text(config)
        addresses = {each["hostname"]: each["ip_address"] for each in self.client.get("/v1/servers").json()}
        members = [
            {"hostname": name, "address": addresses[name], "role": "replica" if at else "primary", "index": at}
            for at, name in enumerate(names)
        ]
        hosts = {name: {"taskserv_role": members[at]["role"]} for at, name in enumerate(names)}
        tasks = [{"ansible.builtin.import_role": {"name": "redis", "tasks_from": stage}} for stage in STAGES]
        given = {"redis_password": "b" * 32, "taskserv_members": members, "taskserv_package_sources": self.sources}
        given["taskserv_name"] = "redis"
        play = {"hosts": "all", "force_handlers": True, "vars": given, "tasks": tasks}
        (self.folder / "inventory.yml").write_text(yaml.safe_dump({"all": {"hosts": hosts}}))
        (self.folder / "playbook.yml").write_text(yaml.safe_dump([play]))
        program = Path(sys.executable).parent / "ansible-playbook"
        settings = {"ANSIBLE_ROLES_PATH": str(ROOT), "ANSIBLE_PIPELINING": "True", "ANSIBLE_FORKS": str(SERVERS)}
        settings |= {"ANSIBLE_HOST_KEY_CHECKING": "False", "LC_ALL": "C.UTF-8", "ANSIBLE_HOME": str(self.folder)}
        ssh = f"-F {shlex.quote(str(self.folder / 'ssh.conf'))} -o ControlMaster=auto -o ControlPersist=60"
        settings |= {"ANSIBLE_SSH_ARGS": f"{ssh} -o StrictHostKeyChecking=no"}
        command = ["nice", "-n", str(NICE), str(program), "-i", "inventory.yml", "playbook.yml"]
        done = subprocess.run(
            command, cwd=self.folder, env={**os.environ, **settings}, capture_output=True, text=True, check=False
        )
        if done.returncode:
            raise SystemExit(done.stdout[-3000:] + done.stderr[-1000:])

    def manage(self, *arguments: str) -> str:
        """Run a command of this installation; returns what it prints."""
        command = [sys.executable, "manage.py", *arguments]
        return subprocess.run(command, env=self.environment, capture_output=True, text=True, check=True).stdout

    # ── a cluster from nothing ────────────────────────────────────────────────────────────────────────────────────────
    def form_cluster(self) -> None:
        """Create machines, and form a cluster of etcd on them."""
        begin = time.monotonic()
        names = self.machines("etcd", MEMBERS)
        up = time.monotonic()
        self.finished([self.install("etcd", names)])
        took = time.monotonic() - begin
        print(f"\netcd on {MEMBERS} machines, from nothing to verified")
        print(f"  {took:.1f} s, {up - begin:.1f} of them for the machines (of {PROMISED_CLUSTER_SECONDS})", flush=True)
        self.remove(names)

    # ── many installs at once ─────────────────────────────────────────────────────────────────────────────────────────
    def crowd(self) -> None:
        """Submit installs, and creations of servers while they are under way; read how long creations waited."""
        names = self.machines("crowd", INSTALLS)
        installs = [self.install("redis", [name]) for name in names]
        created = []
        for number in range(CREATIONS):
            created.append(self.post("/v1/servers/create", {**EMULATED, "hostname": f"meanwhile-{number}"}))
            time.sleep(CREATION_SECONDS)
        under_way = sum(self.ended(id) is None for id in installs)
        self.finished(created)
        waited = sorted(self.seconds_to_start(created))
        self.finished(installs)
        p95 = waited[int(len(waited) * 0.95)]
        print(f"\n{CREATIONS} creations, one each {CREATION_SECONDS:.0f} s, beside {INSTALLS} installs, 2 workers")
        print(f"  {under_way} installs still under way after the last")
        print(f"  from submission to start: median {statistics.median(waited):.2f} s, p95 {p95:.2f} s", end="")
        print(f" (of {PROMISED_START_SECONDS}), most {waited[-1]:.2f} s", flush=True)

    def seconds_to_start(self, ids: list[str]) -> list[float]:
        """Read from the database how long operations waited for their first step."""
        code = (
            "import json, sys\nfrom apps.operations.models import Operation\n"
            f"found = Operation.objects.filter(pk__in={ids!r}).values_list('created_at', 'started_at')\n"
            "print('seconds', json.dumps([(began - made).total_seconds() for made, began in found]))"
        )
        [line] = [each for each in self.manage("shell", "-c", code).splitlines() if each.startswith("seconds ")]
        return json.loads(line.partition(" ")[2])
