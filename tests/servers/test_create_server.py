import pytest

from apps.operations.models import Operation
from apps.servers.models import Server


def test_it_creates_the_machine_and_settles_the_server(api, alice, create, shown, cloud, run_worker):
    operation = create()
    assert list(operation) == ["id", "status", "created_at", "updated_at", "result", "error"]
    assert (operation["status"], operation["result"], operation["error"]) == ("pending", None, None)
    [listed] = api(alice).get("/v1/servers").json()
    assert (listed["hostname"], listed["status"], listed["ip_address"]) == ("web-01", "pending", None)

    run_worker()
    ended = shown(operation)
    assert ended["status"] == "completed", ended
    assert list(ended["result"]) == ["server_id", "ip_address"]
    server = api(alice).get(f"/v1/servers/{ended['result']['server_id']}/status").json()
    assert (server["status"], server["ip_address"]) == ("running", ended["result"]["ip_address"])
    [machine] = cloud.servers()
    assert machine["state"] == "started"
    assert len(cloud.creates(server["id"])) == 1


def test_it_is_running_while_the_machine_boots(create, shown, step, cloud):
    cloud.set(boot_seconds=60)
    operation = create()
    step()
    step()
    assert shown(operation)["status"] == "running"
    assert Server.objects.get().status == "pending"


def test_it_says_in_its_log_that_the_machine_is_emulated(create, run_worker):
    create()
    run_worker()
    assert Server.objects.get().emulated
    assert Operation.objects.get().events.filter(message__contains="nothing real stands behind it").exists()


def test_it_settles_the_server_when_the_cloud_refuses(create, shown, cloud, run_worker):
    cloud.refuse_next("SERVER_RESOURCES_UNAVAILABLE")
    operation = create()
    run_worker()
    assert Server.objects.get().status == "failed"
    assert shown(operation)["status"] == "failed"
    assert Operation.objects.get().error_code == "PROVIDER_CAPACITY"


@pytest.mark.parametrize(
    "spoil",
    [
        lambda cloud: cloud.limit_rate_next(retry_after=1),
        lambda cloud: cloud.respond_next(503, text=""),
        lambda cloud: cloud.break_gateway_next(),
        lambda cloud: cloud.refuse_next("SERVER_CREATING_LIMIT_REACHED"),
        lambda cloud: cloud.lose_next_answer(),
        lambda cloud: cloud.lose_next_answer(commit=False),
        lambda cloud: cloud.lose_next_answer(times=3),
    ],
    ids=["429", "503", "html", "creating-limit", "answer-lost", "request-lost", "answers-lost"],
)
def test_it_makes_one_machine_whatever_the_first_answer(spoil, create, cloud, run_worker):
    spoil(cloud)
    create()
    run_worker()
    server = Server.objects.get()
    assert server.status == "running", list(Operation.objects.get().events.values_list("message", flat=True))
    assert len(cloud.servers()) == 1
    assert len(cloud.disks()) == 1
    assert len(cloud.creates(server.id)) == 1


def test_it_deletes_the_second_of_two_machines_that_lost_answers_left(create, cloud, step, run_worker):
    cloud.lose_next_answer()
    create()
    step()
    [first] = cloud.servers()  # the second is as old: whichever is kept, the other one goes
    labels = {label["key"]: label["value"] for label in first["labels"]["label"] if not label["key"].startswith("_")}
    title = f"{Server.objects.get().id} root (provisioning)"
    disk = {"action": "clone", "storage": "01000000-0000-4000-8000-000020070100", "title": title, "size": 80}
    cloud.create("web-01", labels=labels, storage_devices={"storage_device": [disk]})
    run_worker()
    [left] = cloud.servers()
    assert Server.objects.get().ref == left["uuid"]
    assert len(cloud.disks()) == 1
    assert Operation.objects.get().events.filter(message__contains="a second machine").exists()


def test_it_fails_when_the_machine_is_deleted_while_it_boots(create, shown, cloud, step, run_worker):
    cloud.set(boot_seconds=60)
    operation = create()
    step()
    cloud.vanish(cloud.servers()[0]["uuid"])
    run_worker()
    assert (shown(operation)["status"], Operation.objects.get().error_code) == ("failed", "MACHINE_GONE")
    assert Server.objects.get().status == "failed"


def test_it_does_not_believe_a_list_that_lacks_the_machine(create, cloud, step, run_worker):
    cloud.set(boot_seconds=0.3)
    create()
    step()
    cloud.shorten_next_list(keep=0, total=0)
    run_worker()
    assert Server.objects.get().status == "running"


def test_it_asks_for_many_states_by_one_list(create, cloud, step, run_worker):
    cloud.set(boot_seconds=0.5)
    for number in range(10):
        create(hostname=f"web-{number}")
    step()
    before = cloud.calls("GET", r"/server/0")
    run_worker()
    assert Server.objects.filter(status="running").count() == 10
    assert cloud.calls("GET", r"/server/0") == before
    assert cloud.calls("GET", r"/server$") <= 4


def test_it_gives_up_when_its_time_is_up(create, shown, account, cloud, step, run_worker):
    cloud.set(boot_seconds=60)
    operation = create()
    step()
    Operation.objects.update(deadline_at="2020-01-01T00:00:00Z")
    run_worker()
    assert Operation.objects.get().error_code == "TIMED_OUT"
    assert "is starting" in shown(operation)["error"]


def test_it_fails_without_usable_credentials(create, shown, account, run_worker):
    from apps.providers.services import register_account

    register_account(
        provider="upcloud", name="default", endpoint=account.endpoint, credentials={"username": "x", "password": "hush"}
    )
    operation = create()
    run_worker()
    assert Operation.objects.get().error_code == "PROVIDER_AUTH"
    assert "hush" not in str(shown(operation)) + str(list(Operation.objects.get().events.values()))


def test_it_waits_for_a_machine_that_the_cloud_does_not_show_yet(create, shown, cloud, step, settings):
    settings.ORDER_LOOKUP_SECONDS = 60
    cloud.set(boot_seconds=60)
    operation = create()
    step()
    cloud.vanish(cloud.servers()[0]["uuid"])
    step()
    assert shown(operation)["status"] == "running"
    assert "does not show it yet" in Operation.objects.get().status_message
    settings.ORDER_LOOKUP_SECONDS = 0
    step()
    assert (shown(operation)["status"], Operation.objects.get().error_code) == ("failed", "MACHINE_GONE")


# ── refusals ──────────────────────────────────────────────────────────────────────────────────────────────────────────
@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("workspace", "nowhere", "There is no workspace nowhere."),
        ("provider", "upclod", "it has upcloud"),
        ("plan", "2xCPU-4BG", "Did you mean 2xCPU-4GB"),
        ("zone", "de-fra2", "Did you mean de-fra1"),
        ("hostname", "-web", "RFC 1123"),
        ("hostname", "web_01", "RFC 1123"),
        ("hostname", "", "may not be blank"),
        ("tags", ["a b"], "A tag has"),
    ],
)
def test_it_refuses_what_it_does_not_know(field, value, message, api, alice, body):
    answer = api(alice).post("/v1/servers/create", {**body, field: value})
    assert (answer.status_code, answer.json()["error"]) == (400, "VALIDATION_ERROR")
    assert message in str(answer.json()["details"])
    assert not Server.objects.exists()
    assert not Operation.objects.exists()


@pytest.mark.parametrize("hostname", ["web-01", "WEB-01"])
def test_it_refuses_a_hostname_that_is_taken(hostname, create, api, alice, body):
    create()
    answer = api(alice).post("/v1/servers/create", {**body, "hostname": hostname})
    assert (answer.status_code, answer.json()["error"]) == (409, "CONFLICT")
    assert Operation.objects.count() == 1


# ── check mode ────────────────────────────────────────────────────────────────────────────────────────────────────────
def test_check_mode_prices_it_and_creates_nothing(create, shown, cloud, run_worker):
    operation = create(check_mode=True)
    run_worker()
    result = shown(operation)["result"]
    assert list(result) == ["check_mode", "changes", "price"]
    assert result["check_mode"] is True
    [change] = result["changes"]
    assert (change["action"], change["resource"], change["hostname"]) == ("create", "server", "web-01")
    assert result["price"]["currency"] == "EUR"
    assert float(result["price"]["hourly"]) > 0
    assert not Server.objects.exists()
    assert not cloud.creates()


def test_check_mode_fails_where_the_real_thing_would(create, api, alice, body):
    create()
    answer = api(alice).post("/v1/servers/create", {**body, "check_mode": True})
    assert answer.status_code == 409


def test_check_mode_asks_the_cloud_itself(create, shown, cloud, run_worker):
    cloud.refuse_next("AUTHENTICATION_FAILED", status=401, method="GET", path=r"/plan$")
    operation = create(check_mode=True)
    run_worker()
    assert shown(operation)["status"] == "failed"
