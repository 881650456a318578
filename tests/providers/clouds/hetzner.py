"""Hetzner, played by a stub of its API behind the proxy that spoils."""

import email
import json
from contextlib import contextmanager

import yaml

from apps.providers.drivers.base import Connection
from apps.providers.drivers.hetzner import client, labels
from tests.providers.clouds.base import Call, Can, CloudStage, Trouble
from tests.providers.clouds.hetzner_api import HetznerAPI
from tests.providers.clouds.hetzner_catalog import IMAGES, TYPES
from tests.providers.clouds.proxy import FaultProxy

TOKEN = "hcloud-token-of-the-project"
WORDS = {
    Trouble.AUTH: (401, "unauthorized"),
    Trouble.QUOTA: (403, "resource_limit_exceeded"),
    Trouble.RATE_LIMIT: (429, "rate_limit_exceeded"),
    Trouble.ERROR: (500, "server_error"),
}


class HetznerStage(CloudStage):
    """One project, whose machines have booted by the time that one looks."""

    provider = "hetzner"
    plan, other_plan, zone, disk_gib = "cx22", "cx32", "fsn1", 40
    image = "ubuntu-24.04"
    can = frozenset(Can) - {Can.TWINS}
    create_call = Call("POST", r"/servers$")
    change_calls = {
        "start": Call("POST", r"/actions/poweron$"),
        "stop": Call("POST", r"/actions/poweroff$"),
        "reboot": Call("POST", r"/actions/reboot$"),
        "delete": Call("DELETE", r"/servers/"),
    }
    nobody = "999999999"

    @classmethod
    @contextmanager
    def served(cls, request):
        with HetznerAPI(TOKEN) as api, FaultProxy(api.address) as proxy:
            yield api, proxy

    def __init__(self, served):
        self.api, self.proxy = served

    def reset(self):
        self.proxy.heal()
        self.api.reset()
        self.proxy.forget_calls()

    def close(self):
        pass

    def connection(self, **changes):
        given = {"endpoint": f"{self.proxy.url}/v1", "credentials": {"token": TOKEN}}
        return Connection(**given | {"installation": self.installation} | changes)

    def wrong_credentials(self):
        return [{"token": "wrong-secret"}]

    def impatient(self, monkeypatch, seconds):
        monkeypatch.setattr(client, "READ_SECONDS", seconds)

    # ── looking past the driver ───────────────────────────────────────────────────────────────────────────────────────
    def refs(self):
        return [str(number) for number in self.api.servers]

    def disks(self):
        return []

    def leftovers(self):
        """The addresses: each costs money as long as it exists."""
        return list(self.api.addresses)

    def creates(self):
        return len(self.api.made)

    def orders(self):
        return len(self.proxy.calls(**self.create_call.rule))

    def tags_of(self, ref):
        found = self.server(ref)["labels"]
        keys = {key.partition(".")[0] for key in found if key.startswith("prov-tag-")}
        return {labels.unpacked(found, key) for key in keys}

    def image_of(self, ref):
        return self.server(ref)["image"]["name"]

    def ssh_keys_of(self, ref):
        return yaml.safe_load(self.document(ref)["cloud-config"])["ssh_authorized_keys"]

    def user_data_of(self, ref):
        return self.document(ref)["x-not-multipart"]

    def host_key_of(self, ref):
        return yaml.safe_load(self.document(ref)["cloud-config"]).get("ssh_keys", {}).get("ecdsa_private")

    def server(self, ref):
        return self.api.servers[int(ref)]

    def order_of(self, ref):
        """The body of the request that made it."""
        [order] = [order for order in self.api.made if str(order["id"]) == ref]
        return order

    def document(self, ref):
        """The parts of the user data, by their type."""
        whole = email.message_from_string(self.order_of(ref)["user_data"])
        return {part.get_content_subtype(): part.get_payload(decode=True).decode() for part in whole.get_payload()}

    # ── spoiling ──────────────────────────────────────────────────────────────────────────────────────────────────────
    @property
    def faults(self):
        return self.proxy

    def answer(self, trouble):
        status, code = WORDS[trouble]
        return {"status": status, "json": {"error": {"code": code, "message": f"Told to say {code}.", "details": None}}}

    def cut_next_list(self):
        cut = lambda body: json.dumps(json.loads(body) | {"servers": []}).encode()  # noqa: E731
        self.proxy.fault("edit", method="GET", path=r"/servers\?", change=cut)

    def vanish(self, ref):
        with self.api.lock:
            self.api.remove(self.server(ref))

    def stop_outside(self, ref):
        with self.api.lock:
            self.api.act(self.server(ref), "poweroff")

    def resize_outside(self, ref):
        self.stop_outside(ref)
        [kind] = [kind for kind in TYPES if kind["name"] == self.other_plan]
        self.server(ref)["server_type"] = kind

    def make_stranger(self):
        with self.api.lock:
            made = self.api.create({"name": "stranger", "server_type": self.plan, "image": IMAGES[0]["id"]})
            self.api.made.pop()
        return str(made["server"]["id"])
