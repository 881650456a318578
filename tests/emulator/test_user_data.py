"""The SSH host key in an order's user data, as cloud-init would give it to the machine."""

import pytest

from apps.emulator.user_data import split
from apps.providers.drivers.base import MachineSpec
from apps.providers.drivers.upcloud.machines import creation
from apps.servers.services.host_keys import new_host_key

GIVEN = "#cloud-config\nruncmd: [touch /gr\u00fc\u00dfe]\n"
MIME = """MIME-Version: 1.0
Content-Type: multipart/mixed; boundary="b"

--b
Content-Type: text/x-shellscript

#!/bin/sh
--b
Content-Type: text/cloud-config

ssh_keys: [unreadable
--b--
"""


def ordered(text, key):
    facts = {"server_id": "srv-1", "hostname": "web-1", "plan": "p", "zone": "z", "disk_gib": 0}
    return creation(MachineSpec(**facts, user_data=text, host_key=key), "inst-1")["server"].get("user_data", "")


@pytest.mark.parametrize("text", ["", GIVEN, "#!/bin/sh\nls\n"])
def test_it_tells_the_key_from_what_else_was_ordered(text):
    _, key = new_host_key()
    assert split(ordered(text, key)) == (key, text)
    assert split(ordered(text, "")) == ("", text)


def test_it_keeps_parts_that_are_mime_already():
    _, key = new_host_key()
    found, rest = split(ordered(MIME, key))
    assert found == key
    assert "#!/bin/sh" in rest and "ssh_keys: [unreadable" in rest and key.splitlines()[1] not in rest
    assert split(rest) == ("", rest)


def test_a_url_is_included_beside_the_key():
    _, key = new_host_key()
    assert split(ordered("https://example.test/init.sh", key)) == (key, "#include\nhttps://example.test/init.sh\n")
