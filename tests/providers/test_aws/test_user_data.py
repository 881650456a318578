"""What an AWS machine is told to do when it first starts."""

import email
import json

import pytest
import yaml

from apps.providers.drivers.aws import user_data
from apps.providers.drivers.base import MachineSpec, ProviderError
from tests.providers.clouds import on_stages
from tests.providers.clouds.base import SSH_KEY
from tests.providers.test_every_driver.patience import raises

MIME = """MIME-Version: 1.0
Content-Type: multipart/mixed; boundary="b"

--b
Content-Type: text/x-shellscript

#!/bin/sh
--b--
"""


def document(text="", **changes):
    facts = {"server_id": "srv-1", "hostname": "web-1", "plan": "p", "zone": "z", "disk_gib": 0, "user_data": text}
    return user_data.document(MachineSpec(**facts | changes))


def parts(text="", **changes):
    """The parts of the document, as pairs of type and text."""
    walk = email.message_from_string(document(text, **changes)).walk()
    leaves = [part for part in walk if not part.is_multipart()]
    return [(part.get_content_type(), part.get_payload(decode=True).decode()) for part in leaves]


def config(**changes):
    [(kind, text)] = parts(**changes)
    assert kind == "text/cloud-config" and text.startswith("#cloud-config\n")
    return yaml.safe_load(text)


def test_it_allows_root_login_by_the_given_keys_only():
    given = config(ssh_keys=(SSH_KEY, "ssh-rsa AAAA second"))
    assert given["ssh_authorized_keys"] == [SSH_KEY, "ssh-rsa AAAA second"]
    assert given["disable_root"] is False
    assert not {"ssh_authorized_keys", "disable_root"} & set(config())


def test_it_gives_the_machine_its_whole_name():
    given = config(hostname="web-1.example.test")
    assert (given["fqdn"], given["prefer_fqdn_over_hostname"]) == ("web-1.example.test", True)


@pytest.mark.parametrize("text", ["#cloud-config\nruncmd: [ls]\n", "#!/bin/sh\necho gr\u00fc\u00dfe \u2713\n"])
def test_it_keeps_the_order_s_own_word_and_adds_to_it(text):
    first, second = parts(text)
    assert first == ("text/x-not-multipart", text)
    added = yaml.safe_load(second[1])
    assert added["merge_how"] == "dict(no_replace,recurse_list)+list(append)"


def test_it_keeps_parts_that_are_mime_already():
    assert [kind for kind, _ in parts(MIME)] == ["text/x-shellscript", "text/cloud-config"]


def test_it_says_the_same_of_the_same_order():
    assert document("#!/bin/sh\n") == document("#!/bin/sh\n") != document("#!/bin/sh\nls\n")


def test_it_is_json_that_yaml_reads_alike():
    [(_, text)] = parts(ssh_keys=(SSH_KEY,), hostname="no")
    assert yaml.safe_load(text) == json.loads(text.partition("\n")[2])


@on_stages("aws")
def test_it_refuses_what_ec2_cannot_take(stage, driver):
    room = user_data.LARGEST - len(user_data.document(stage.spec(user_data="#")).encode()) + 1
    with raises(ProviderError, "PROVIDER_INVALID") as caught:
        driver.create(stage.spec(user_data="#" * (room + 1)))
    assert "16384" in str(caught.value) and stage.orders() == 0
    assert driver.create(stage.spec(user_data="#" * room))
