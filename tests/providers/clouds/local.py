"""The container engine of this machine, the real one, behind a proxy that spoils what the driver asks it."""

import base64
import os
from contextlib import contextmanager, suppress

import pytest
from django.conf import settings

from apps.operations.errors import StepError
from apps.providers.drivers.base import Connection, ProviderError
from apps.providers.drivers.local import Local, engine
from apps.providers.drivers.local.driver import IMAGE_LABEL
from tests.providers.clouds.base import Call, Can, CloudStage, Trouble
from tests.providers.clouds.proxy import FaultProxy

WORDS = {Trouble.AUTH: 403, Trouble.RATE_LIMIT: 429, Trouble.ERROR: 500}
MARK = f"test-{os.getpid()}"


def usable_engine():
    """The engine of this machine; skips with the reason where there is none, or no image to make machines from."""
    driver = Local(Connection(endpoint="", credentials={}, installation=MARK))
    try:
        driver.check()
    except ProviderError as refusal:
        pytest.skip(refusal.message)
    return driver._engine


def engine_settings(found):
    """Return the settings by which a service of its own uses this engine as the tests do."""
    return {"DOCKER_HOST": found.endpoint, "LOCAL_NETWORK": settings.LOCAL_NETWORK}


def gateway(found):
    """Return the address at which machines reach this one; there is none before the first machine."""
    name = settings.LOCAL_NETWORK
    [network] = [each for each in found.ask("networks", names=[name]) if each["Name"] == name]
    return network["IPAM"]["Config"][0]["Gateway"]


def containers(found, installation):
    """Every container of an installation, by id."""
    return {
        item["Id"]: item
        for item in found.ask("containers", all=True, filters={"label": f"prov-install={installation}"})
    }


def clear(found, *installations):
    """Remove every container of these installations."""
    for installation in installations:
        for ref in containers(found, installation):
            with suppress(StepError):
                found.ask("remove_container", ref, force=True, v=True)


class Counting(FaultProxy):
    """Counts the containers that were made."""

    made = 0

    def _forwarded(self, request):
        answer = super()._forwarded(request)
        self.made += request.fits(**LocalStage.create_call.rule) and answer.status == 201
        return answer


class LocalStage(CloudStage):
    """Containers, which have started by the time that one looks; nothing of others on the engine is touched."""

    provider = "local"
    plan, zone, disk_gib = "1xCPU-1GB", "local", 0
    image = f"other-{MARK}"
    can = frozenset({Can.SHOW_SSH_KEYS, Can.SHOW_USER_DATA})
    troubles = frozenset(Trouble) - {Trouble.QUOTA}
    create_call = Call("POST", r"/containers/create")
    change_calls = {
        "start": Call("POST", r"/start$"),
        "stop": Call("POST", r"/stop(\?|$)"),
        "reboot": Call("POST", r"/restart(\?|$)"),
        "delete": Call("DELETE", r"/containers/"),
    }
    nobody = "f" * 64
    installation, other_installation = f"{MARK}-1", f"{MARK}-2"

    @classmethod
    @contextmanager
    def served(cls, request):
        found = usable_engine()
        with other_image(found), Counting(found.endpoint.partition("://")[2]) as proxy:
            yield found, proxy
        found.close()

    def __init__(self, served):
        self.engine, self.proxy = served

    def reset(self):
        self.proxy.heal()
        clear(self.engine, self.installation, self.other_installation, MARK)
        self.proxy.forget_calls()
        self.proxy.made = 0

    def close(self):
        pass

    def connection(self, **changes):
        given = {"endpoint": self.proxy.url, "credentials": {}, "installation": self.installation}
        return Connection(**given | changes)

    def impatient(self, monkeypatch, seconds):
        monkeypatch.setattr(engine, "CALL_SECONDS", seconds)

    # ── looking past the driver ───────────────────────────────────────────────────────────────────────────────────────
    def containers(self):
        names = (self.installation, self.other_installation, MARK)
        return {ref: item for name in names for ref, item in containers(self.engine, name).items()}

    def refs(self):
        return list(self.containers())

    def disks(self):
        return []

    def creates(self):
        return self.proxy.made

    def orders(self):
        return len(self.proxy.calls(**self.create_call.rule))

    def tags_of(self, ref):
        return set(self.containers()[ref]["Labels"]["prov-tags"].split(","))

    def image_of(self, ref):
        image = self.engine.ask("inspect_image", self.containers()[ref]["ImageID"])
        return image["Config"]["Labels"][IMAGE_LABEL]

    def environment(self, ref):
        return dict(pair.split("=", 1) for pair in self.engine.ask("inspect_container", ref)["Config"]["Env"])

    def ssh_keys_of(self, ref):
        return self.environment(ref)["MACHINE_SSH_KEYS"].splitlines()

    def host_key_of(self, ref):
        with suppress(ProviderError):
            return self.engine.read_file(ref, "/etc/ssh/ssh_host_ecdsa_key") + "\n"

    def user_data_of(self, ref):
        return base64.b64decode(self.environment(ref)["MACHINE_USER_DATA"]).decode()

    # ── spoiling ──────────────────────────────────────────────────────────────────────────────────────────────────────
    @property
    def faults(self):
        return self.proxy

    def answer(self, trouble):
        return {"status": WORDS[trouble], "json": {"message": "Told to say so."}}

    def vanish(self, ref):
        self.engine.ask("remove_container", ref, force=True, v=True)

    def stop_outside(self, ref):
        self.engine.ask("stop", ref, timeout=0)

    def make_stranger(self):
        [image] = self.engine.ask("images", filters={"label": f"{IMAGE_LABEL}={self.image}"})
        made = self.engine.ask("create_container", image["Id"], labels={"prov-install": MARK})
        return made["Id"]


@contextmanager
def other_image(found):
    """Keep a second image there: the usual one under another label."""
    [usual, *_] = found.ask("images", filters={"label": IMAGE_LABEL})
    made = found.ask("create_container", usual["Id"])["Id"]
    label = f'LABEL {IMAGE_LABEL}="{LocalStage.image}"'
    image = found.ask("commit", made, repository=f"localhost/{LocalStage.image}", changes=[label])["Id"]
    found.ask("remove_container", made, force=True, v=True)
    yield
    found.ask("remove_image", image, force=True)
