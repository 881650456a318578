"""UpCloud, played by the emulator that comes with the project; it has faults of its own and needs no proxy."""

import email
from contextlib import contextmanager

import yaml

from apps.providers.drivers.base import Connection
from apps.providers.drivers.upcloud import client
from tests.providers.cloud import Cloud
from tests.providers.clouds.base import Call, CloudStage, Trouble

WORDS = {
    Trouble.AUTH: (401, "AUTHENTICATION_FAILED"),
    Trouble.QUOTA: (403, "SERVER_CORE_LIMIT_REACHED"),
    Trouble.ERROR: (500, "SERVICE_ERROR"),
}


class UpCloudStage(CloudStage):
    """The emulated UpCloud, whose machines boot at once."""

    provider = "upcloud"
    plan, other_plan, zone, disk_gib = "1xCPU-1GB", "2xCPU-4GB", "de-fra1", 25
    image = "01000000-0000-4000-8000-000030240200"
    create_call = Call("POST", r"/server$")
    change_calls = {
        "start": Call("POST", r"/start$"),
        "stop": Call("POST", r"/stop$"),
        "reboot": Call("POST", r"/restart$"),
        "delete": Call("DELETE", r"/server/"),
    }
    nobody = "00aaaaaa-2222-4333-8444-555566667777"

    @classmethod
    @contextmanager
    def served(cls, request):
        yield request.getfixturevalue("cloud_server")

    def __init__(self, root):
        self.cloud = Cloud(root)
        self.strangers = 0

    def reset(self):
        self.cloud.reset()

    def close(self):
        self.cloud.close()

    def connection(self, **changes):
        given = {"endpoint": self.cloud.url, "credentials": {"token": self.cloud.token}}
        return Connection(**given | {"installation": self.installation} | changes)

    def wrong_credentials(self):
        return [{"token": "ucat_wrong-secret"}, {"username": "eve", "password": "wrong-secret"}]

    def impatient(self, monkeypatch, seconds):
        monkeypatch.setattr(client, "READ_SECONDS", seconds)
        monkeypatch.setattr("apps.providers.drivers.upcloud.driver.START_SECONDS", seconds)

    # ── looking past the driver ───────────────────────────────────────────────────────────────────────────────────────
    def refs(self):
        return [server["uuid"] for server in self.cloud.servers()]

    def disks(self):
        return [disk["uuid"] for disk in self.cloud.disks()]

    def creates(self):
        return sum("prov-managed" in _labels(event["labels"]) for event in self.cloud.creates())

    def orders(self):
        return self.cloud.calls("POST", r"/server$") - self.strangers

    def tags_of(self, ref):
        [server] = [server for server in self.cloud.servers() if server["uuid"] == ref]
        texts = [text for key, text in _labels(server["labels"]["label"]).items() if key.startswith("prov-tags")]
        return {tag for text in texts for tag in text.split(",")}

    def image_of(self, ref):
        [disk] = [disk for disk in self.cloud.disks() if ref in disk["servers"]["server"]]
        return disk["origin"]

    def ssh_keys_of(self, ref):
        return self._creation(ref)["ssh_keys"]

    def user_data_of(self, ref):
        return self.document(ref)["x-not-multipart"]

    def host_key_of(self, ref):
        config = self.document(ref).get("cloud-config")
        return yaml.safe_load(config)["ssh_keys"]["ecdsa_private"] if config else None

    def document(self, ref):
        """The parts of the user data, by their type; without a host key it is the order's own."""
        whole = email.message_from_string(self._creation(ref)["user_data"])
        if not whole.is_multipart():
            return {"x-not-multipart": self._creation(ref)["user_data"]}
        return {part.get_content_subtype(): part.get_payload(decode=True).decode() for part in whole.get_payload()}

    def _creation(self, ref):
        [event] = [event for event in self.cloud.creates() if event["server"] == ref]
        return event

    # ── spoiling ──────────────────────────────────────────────────────────────────────────────────────────────────────
    @property
    def faults(self):
        return self.cloud

    def answer(self, trouble):
        if trouble is Trouble.RATE_LIMIT:
            return {"status": 429, "text": ""}
        status, code = WORDS[trouble]
        return {"status": status, "json": {"error": {"error_code": code, "error_message": f"Told to say {code}."}}}

    def cut_next_list(self):
        self.cloud.shorten_next_list(keep=0)

    def vanish(self, ref):
        self.cloud.vanish(ref)

    def stop_outside(self, ref):
        self.cloud.set(stop_seconds=0)
        self._ask("POST", f"/server/{ref}/stop", {"stop_server": {"stop_type": "hard"}})

    def resize_outside(self, ref):
        self.stop_outside(ref)
        self._ask("PUT", f"/server/{ref}", {"server": {"plan": self.other_plan}})
        self._ask("POST", f"/server/{ref}/start", {})

    def make_stranger(self):
        self.strangers += 1
        return self.cloud.create("stranger", plan=self.plan)["uuid"]

    def _ask(self, method, path, body):
        self.cloud.request(method, path, json=body).raise_for_status()


def _labels(pairs):
    return {pair["key"]: pair["value"] for pair in pairs}
