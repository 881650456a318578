"""moto's server as a process, and what it lacks: ClientTokens that count, and AMIs of this year."""

import json
import os
import re
import sys
import threading
from collections import deque
from contextlib import contextmanager
from dataclasses import replace
from subprocess import DEVNULL, PIPE, Popen
from urllib.parse import parse_qsl

from tests.providers.clouds.proxy import Answer, FaultProxy

DEBIAN, CANONICAL = "136693071363", "099720109477"
# What Debian and Canonical publish, some of it: the AMIs that are the newest of an image come last.
AMIS = {
    "ami-0deb0120000000001": (DEBIAN, "debian-12-amd64-20240101-1612", "/dev/xvda", ""),
    "ami-0deb0120000000009": (DEBIAN, "debian-12-backports-amd64-20261101-2280", "/dev/xvda", ""),
    "ami-0bad0120000000001": ("666666666666", "debian-12-amd64-20991231-0001", "/dev/xvda", ""),
    "ami-0deb0120000000002": (DEBIAN, "debian-12-amd64-20261016-2268", "/dev/xvda", "debian-12"),
    "ami-0deb0130000000002": (DEBIAN, "debian-13-amd64-20261016-2268", "/dev/xvda", "debian-13"),
    "ami-0ca02404000000002": (
        CANONICAL,
        "ubuntu/images/hvm-ssd-gp3/ubuntu-noble-24.04-amd64-server-20261001",
        "/dev/sda1",
        "ubuntu-24.04",
    ),
}


def ami(name, owner, title, device, image):
    """An AMI as moto reads it."""
    return {
        "ami_id": name,
        "owner_id": owner,
        "name": title,
        "root_device_name": device,
        "creation_date": f"20{re.search(r'-20([0-9]{6})', title)[1]}",
        "state": "available",
        "public": True,
        "root_device_type": "ebs",
        "image_type": "machine",
        "architecture": "x86_64",
        "virtualization_type": "hvm",
    }


def refusal(code):
    """EC2's body of an error."""
    error = f"<Code>{code}</Code><Message>Told to say {code}.</Message>"
    return (
        f'<?xml version="1.0"?><Response><Errors><Error>{error}</Error></Errors><RequestID>r-1</RequestID></Response>'
    )


class Tokens(FaultProxy):
    """Carries an order out once for each ClientToken, as EC2 does; `exists` tells whether any of these ids is there.

    An order's answer does not tell the public address, which EC2 has not yet chosen by then.
    The instance types never change and moto takes a second to write them all: its first answer is given again.
    """

    def __init__(self, upstream):
        super().__init__(upstream)
        self.exists, self.orders, self.order_lock = None, {}, threading.Lock()
        self.types = {}

    def forget(self):
        self.forget_calls()
        self.orders.clear()

    def _forwarded(self, request):
        asked = dict(parse_qsl(request.body.decode(errors="replace")))
        if asked.get("Action") == "DescribeInstanceTypes":
            return self._types(request)
        if asked.get("Action") != "RunInstances":
            return super()._forwarded(request)
        with self.order_lock:
            return self._ordered(request, asked)

    def _types(self, request):
        if request.body not in self.types:
            answer = super()._forwarded(request)
            if answer.status != 200:
                return answer
            self.types[request.body] = answer
        return self.types[request.body]

    def _ordered(self, request, asked):
        known = self.orders.get(asked["ClientToken"])
        if known is None:
            answer = super()._forwarded(request)
            if answer.status == 200:
                answer = replace(answer, body=re.sub(rb"<ipAddress>[^<]*</ipAddress>", b"", answer.body))
                self.orders[asked["ClientToken"]] = asked, answer
            return answer
        first, answer = known
        if not self.exists(set(re.findall(r"i-[0-9a-f]+", answer.body.decode()))):
            return self._refused("IdempotentInstanceTerminated")
        return answer if first == asked else self._refused("IdempotentParameterMismatch")

    def _refused(self, code):
        return Answer(400, [("Content-Type", "text/xml")], refusal(code).encode())


@contextmanager
def moto(folder):
    """Run moto's server in a process of its own, with our AMIs and no others; gives its URL."""
    catalog = folder / "amis.json"
    catalog.write_text(json.dumps([ami(name, *facts) for name, facts in AMIS.items()]))
    command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", "0"]
    switches = {"MOTO_EC2_ENABLE_INSTANCE_TYPE_VALIDATION": "1", "MOTO_ENABLE_AMI_VALIDATION": "1"}
    switches |= {"MOTO_AMIS_PATH": str(catalog)}
    with Popen(command, env=os.environ | switches, stdout=DEVNULL, stderr=PIPE, text=True) as process:
        line = next((line for line in process.stderr if "Running on http" in line), "")
        reader = threading.Thread(target=deque, args=(process.stderr, 0), daemon=True)
        reader.start()
        try:
            assert line, "moto did not start"
            yield line.split("Running on ")[1].split()[0]
        finally:
            process.kill()
            reader.join()
