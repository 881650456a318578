"""How the emulated cloud lets a new server be reached: addresses, networks, logins."""

from tests.providers.cloud import server_body


def test_it_gives_every_server_its_own_address_until_it_is_gone(cloud):
    made = [cloud.create(f"h{number}") for number in range(3)]
    ips = [one["ip_addresses"]["ip_address"][0]["address"] for one in made]
    assert ips == ["127.77.0.2", "127.77.0.3", "127.77.0.4"]
    cloud.vanish(made[0]["uuid"])
    assert cloud.create("h4")["ip_addresses"]["ip_address"][0]["address"] not in ips


def test_it_gives_ipv6_only_when_asked(cloud):
    interfaces = [
        {"type": "public", "ip_addresses": {"ip_address": [{"family": "IPv4"}, {"family": "IPv6"}]}},
        {"type": "private", "network": "03bbbbbb-cccc-4ddd-8eee-ffff00001111", "ip_addresses": {"ip_address": [{}]}},
    ]
    made = cloud.create(networking={"interfaces": {"interface": interfaces}})
    assert [one["family"] for one in made["ip_addresses"]["ip_address"]] == ["IPv4", "IPv6"]
    private = made["networking"]["interfaces"]["interface"][1]
    assert private["network"] == "03bbbbbb-cccc-4ddd-8eee-ffff00001111"


def test_it_makes_a_server_without_a_word_about_networks(cloud):
    made = cloud.create(networking=None)
    assert [one["access"] for one in made["ip_addresses"]["ip_address"]] == ["public", "utility"]


def test_it_shows_the_login_once(cloud):
    made = cloud.request("POST", "/server", json=server_body(login_user={"username": "admin"})).json()["server"]
    assert made["username"] == "admin"
    assert "password" not in made
    assert "username" not in cloud.request("GET", f"/server/{made['uuid']}").json()["server"]
