"""What cannot be changed after the creation, and ports that are taken."""

from tests.console import browser, seeded
from tests.refusals import refused


# ── what stays ────────────────────────────────────────────────────────────────────────────────────────────────────────
def test_it_refuses_to_change_what_the_creation_has_settled(change, changed, install, web_01):
    """The former administrator would go on with the old password."""
    id = install("postgres", config={"user": "boss"})
    message = refused(change(id, config={"user": "chief"}), 400, "VALIDATION_ERROR", field="config.user")["message"]
    assert "cannot be changed after the creation" in message
    refused(change(id, config={"user": None}), 400, "VALIDATION_ERROR", field="config.user")
    assert changed(id, config={"user": "boss", "max_connections": 50})["before"]["config"] == {"user": "boss"}


def test_the_console_offers_no_field_for_it(install, web_01):
    id = install("postgres")
    form = browser(seeded("olga", "operator")).get(f"/admin/taskservs/taskserv/{id}/configure/").context["form"]
    assert "port" in form.fields and "user" not in form.fields


# ── ports ─────────────────────────────────────────────────────────────────────────────────────────────────────────────
def test_it_refuses_a_port_that_another_taskserv_of_the_server_uses(ask, change, changed, install, web_01, web_02):
    id = install("nginx", ["web-01"])
    message = refused(ask("haproxy", ["web-02", "web-01"]), 409, "PORT_TAKEN")["message"]
    assert message == f"haproxy cannot use port 80 (port) on web-01: nginx ({id}) uses it; choose another."
    other = install("haproxy", ["web-02"])
    assert "on web-01" in refused(change(other, servers=["web-02", "web-01"]), 409, "PORT_TAKEN")["message"]
    moved = install("memcached", ["web-01"], {"port": 8404})
    refused(change(other, servers=["web-01"], config={"port": 81}), 409, "PORT_TAKEN")
    changed(moved, config={"port": None})
    changed(other, servers=["web-02", "web-01"], config={"port": 81})
    assert f"haproxy ({other})" in refused(change(moved, config={"port": 8404}), 409, "PORT_TAKEN")["message"]


def test_it_refuses_one_port_for_two_options(ask, install, change, web_01):
    refused(ask("haproxy", config={"port": 8404}), 400, "VALIDATION_ERROR", field="config.stats_port")
    id = install("rabbitmq")
    refused(change(id, config={"port": 15672}), 400, "VALIDATION_ERROR", field="config.management_port")
