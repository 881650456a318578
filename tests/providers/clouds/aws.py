"""AWS, played by moto's server behind a proxy that honors ClientTokens.

moto checks signatures and policies: the driver's user may do what PERMISSIONS says and nothing else.
"""

import base64
import email
import json
import random
import re
from contextlib import ExitStack, closing, contextmanager
from functools import cache, cached_property
from zlib import crc32

import boto3
import httpx
import yaml
from botocore.config import Config

from apps.providers.drivers.aws import client
from apps.providers.drivers.base import Connection
from tests.providers.clouds.base import Call, CloudStage, Trouble
from tests.providers.clouds.moto_server import AMIS, Tokens, moto, refusal

REGION = "eu-west-1"
# Twice, which is once: so the text is nowhere but in the credentials, and a test that looks for it finds a leak only.
REGIONS = f"{REGION}, {REGION}"
# All that an account's key needs to be allowed to do.
PERMISSIONS = [
    "AuthorizeSecurityGroupIngress",
    "CreateSecurityGroup",
    "CreateTags",
    "DeleteVolume",
    "DescribeAvailabilityZones",
    "DescribeImages",
    "DescribeInstanceTypeOfferings",
    "DescribeInstanceTypes",
    "DescribeInstances",
    "DescribeSecurityGroups",
    "DescribeSubnets",
    "DescribeVolumes",
    "RebootInstances",
    "RunInstances",
    "StartInstances",
    "StopInstances",
    "TerminateInstances",
]
WORDS = {
    Trouble.AUTH: (401, "AuthFailure"),
    Trouble.QUOTA: (400, "VcpuLimitExceeded"),
    Trouble.RATE_LIMIT: (503, "RequestLimitExceeded"),
    Trouble.ERROR: (500, "InternalError"),
}


def client_of(session, service, url, key, secret):
    """A client that speaks to moto itself, past the proxy."""
    keys = {"aws_access_key_id": key, "aws_secret_access_key": secret}
    return session.client(service, endpoint_url=url, config=Config(proxies={}), **keys)


class AWSStage(CloudStage):
    """One region of AWS, whose machines have booted by the time that one looks."""

    provider = "aws"
    plan, other_plan, zone, disk_gib = "t3.micro", "t3.large", f"{REGION}a", 30
    image = "debian-13"
    create_call = Call("POST", body="Action=RunInstances&")
    change_calls = {
        "start": Call("POST", body="Action=StartInstances&"),
        "stop": Call("POST", body="Action=StopInstances&"),
        "reboot": Call("POST", body="Action=RebootInstances&"),
        "delete": Call("POST", body="Action=TerminateInstances&"),
    }
    list_call = Call("POST", body="Action=DescribeInstances&Version=2016-11-15&Filter")
    nobody = f"{REGION}/i-00000000000000000"

    @classmethod
    @contextmanager
    def served(cls, request):
        folder = request.getfixturevalue("tmp_path_factory").mktemp("moto")
        with (
            moto(folder) as url,
            Tokens(url.removeprefix("http://")) as proxy,
            httpx.Client(trust_env=False, verify=False) as control,
        ):
            session = boto3.session.Session(region_name=REGION)
            with ExitStack() as stack:

                @cache
                def client_with(service, *keys):
                    return stack.enter_context(closing(client_of(session, service, url, *keys)))

                yield url, proxy, control, client_with

    def __init__(self, served):
        self.url, self.proxy, self.control, self.client_with = served

    def reset(self):
        self.proxy.heal()
        self.tell("reset")
        self.proxy.forget()
        vars(self).pop("users", None)
        self.proxy.exists = lambda ids: not ids.isdisjoint(self.instances())

    def close(self):
        pass

    @cached_property
    def users(self):
        """The access keys of the driver's user and of one who may do anything; both are made when one is needed."""
        return self.user("driver", PERMISSIONS), self.user("manager", ["*"])

    @property
    def keys(self):
        return self.users[0]

    @property
    def ec2(self):
        return self.client_with("ec2", *self.users[1])

    def tell(self, what, body=""):
        """Tell moto itself."""
        self.control.post(f"{self.url}/moto-api/{what}", content=body).raise_for_status()

    def user(self, name, actions):
        """Make a user who may do this at EC2; gives the access key. Meanwhile moto asks nobody who he is.

        A user of the same name had the same key before, so that clients, which take a tenth of a second, are kept.
        """
        allowed = {"Effect": "Allow", "Action": [f"ec2:{action}" for action in actions], "Resource": "*"}
        policy = json.dumps({"Version": "2012-10-17", "Statement": [allowed]})
        iam = self.client_with("iam", "anybody", "anything")
        self.tell("reset-auth", "inf")
        iam.create_user(UserName=name)
        iam.put_user_policy(UserName=name, PolicyName="ec2", PolicyDocument=policy)
        self.tell(f"seed?a={crc32(name.encode())}")
        key = iam.create_access_key(UserName=name)["AccessKey"]
        self.tell(f"seed?a={random.getrandbits(32)}")
        self.tell("reset-auth", "0")
        return key["AccessKeyId"], key["SecretAccessKey"]

    def connection(self, **changes):
        key, secret = self.keys
        credentials = {"access_key_id": key, "secret_access_key": secret, "regions": REGIONS}
        given = {"endpoint": self.proxy.url, "credentials": credentials, "installation": self.installation}
        return Connection(**given | changes)

    def wrong_credentials(self):
        key, secret = self.keys
        return [
            {"access_key_id": key, "secret_access_key": "wrong-secret", "regions": REGIONS},
            {"access_key_id": "AKIANOBODY", "secret_access_key": f"{secret}wrong-secret", "regions": REGIONS},
        ]

    def impatient(self, monkeypatch, seconds):
        monkeypatch.setattr(client, "READ_SECONDS", seconds)

    # ── looking past the driver ───────────────────────────────────────────────────────────────────────────────────────
    def instances(self):
        """Every instance that is not terminated, by id."""
        reservations = self.ec2.describe_instances()["Reservations"]
        every = [instance for reservation in reservations for instance in reservation["Instances"]]
        return {one["InstanceId"]: one for one in every if one["State"]["Name"] != "terminated"}

    def refs(self):
        return [f"{REGION}/{name}" for name in self.instances()]

    def disks(self):
        return [volume["VolumeId"] for volume in self.ec2.describe_volumes()["Volumes"]]

    def leftovers(self):
        """Disks, and the key pairs, interfaces and addresses that are not made for a machine or go with it."""
        keys = [pair["KeyName"] for pair in self.ec2.describe_key_pairs()["KeyPairs"]]
        interfaces = [one["NetworkInterfaceId"] for one in self.ec2.describe_network_interfaces()["NetworkInterfaces"]]
        return self.disks() + keys + interfaces + self.ec2.describe_addresses()["Addresses"]

    def creates(self):
        return len(self.proxy.orders)

    def orders(self):
        return len(self.proxy.calls(body=self.create_call.body))

    def instance(self, ref):
        return self.instances()[ref.partition("/")[2]]

    def tags(self, ref):
        return {tag["Key"]: tag["Value"] for tag in self.instance(ref)["Tags"]}

    def tags_of(self, ref):
        texts = [text for key, text in self.tags(ref).items() if key.startswith("prov-tags")]
        return {tag for text in texts for tag in text.split(",")}

    def image_of(self, ref):
        return AMIS[self.instance(ref)["ImageId"]][-1]

    def document(self, ref):
        """The parts of the user data, by their type."""
        asked = {"InstanceId": ref.partition("/")[2], "Attribute": "userData"}
        encoded = self.ec2.describe_instance_attribute(**asked)["UserData"]["Value"]
        whole = email.message_from_bytes(base64.b64decode(encoded))
        return {part.get_content_subtype(): part.get_payload(decode=True).decode() for part in whole.get_payload()}

    def ssh_keys_of(self, ref):
        return yaml.safe_load(self.document(ref)["cloud-config"])["ssh_authorized_keys"]

    def user_data_of(self, ref):
        return self.document(ref)["x-not-multipart"]

    def host_key_of(self, ref):
        return yaml.safe_load(self.document(ref)["cloud-config"]).get("ssh_keys", {}).get("ecdsa_private")

    # ── spoiling ──────────────────────────────────────────────────────────────────────────────────────────────────────
    @property
    def faults(self):
        return self.proxy

    def answer(self, trouble):
        status, code = WORDS[trouble]
        return {"status": status, "text": refusal(code), "content_type": "text/xml"}

    def cut_next_list(self):
        """Name a next page that does not come: the one way in which EC2 tells that a list is not whole."""
        more = b"<reservationSet/><nextToken>lost</nextToken>"
        cut = lambda body: re.sub(rb"<reservationSet>.*</reservationSet>", more, body, flags=re.DOTALL)  # noqa: E731
        self.proxy.fault("edit", **self.list_call.rule, change=cut)

    def vanish(self, ref):
        self.ec2.terminate_instances(InstanceIds=[ref.partition("/")[2]])

    def stop_outside(self, ref):
        self.ec2.stop_instances(InstanceIds=[ref.partition("/")[2]])

    def resize_outside(self, ref):
        self.stop_outside(ref)
        name = ref.partition("/")[2]
        self.ec2.modify_instance_attribute(InstanceId=name, InstanceType={"Value": self.other_plan})
        self.ec2.start_instances(InstanceIds=[name])

    def make_stranger(self):
        order = {"ImageId": next(iter(AMIS)), "InstanceType": self.plan, "MinCount": 1, "MaxCount": 1}
        interface = {"DeviceIndex": 0, "AssociatePublicIpAddress": True, "DeleteOnTermination": True}
        made = self.ec2.run_instances(**order, NetworkInterfaces=[interface])
        return f"{REGION}/{made['Instances'][0]['InstanceId']}"
