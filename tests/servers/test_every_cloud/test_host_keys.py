"""The SSH host key that goes with the order, at every cloud that does not tell its machines' keys itself."""

from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_ssh_private_key

from apps.servers.models import Server
from tests.providers.clouds import on_stages

pytestmark = on_stages("aws", "hetzner", "upcloud")


def public_half(private):
    key = load_ssh_private_key(private.encode(), password=None).public_key()
    return key.public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()


def test_the_machine_is_given_the_key_that_is_pinned_and_only_its_public_half_is_kept(stage, create, run_worker, is_up):
    create()
    run_worker()
    server = is_up()
    assert public_half(stage.host_key_of(server.ref)) == server.ssh_host_key == server.ordered_host_key
    assert server.sealed_host_key == ""


def test_an_order_that_is_repeated_carries_the_same_key(stage, create, step, run_worker, is_up):
    stage.lose_create_answer(committed=False)
    create()
    step()
    before = Server.objects.get()
    assert before.ssh_host_key and before.ssh_host_key not in before.sealed_host_key
    run_worker()
    server = is_up()
    assert stage.orders() == 2
    assert public_half(stage.host_key_of(server.ref)) == server.ssh_host_key == before.ssh_host_key


def test_a_machine_that_is_adopted_has_the_key_of_its_order(stage, create, run_worker, worker_dies, is_up):
    create()
    worker_dies("create", after=True)
    run_worker()
    server = is_up()
    assert stage.orders() == 1
    assert public_half(stage.host_key_of(server.ref)) == server.ssh_host_key
