"""What the stub of Hetzner sells: locations, server types, images and prices, in the API's shapes."""


def price(location, hourly, monthly):
    amounts = {"price_hourly": hourly, "price_monthly": monthly}
    prices = {key: {"net": net, "gross": f"{float(net) * 1.19:.10f}"} for key, net in amounts.items()}
    return {"location": location, **prices, "included_traffic": 21990232555520}


def location(number, name, title):
    facts = {"country": "DE", "city": title, "latitude": 50.5, "longitude": 12.4, "network_zone": "eu-central"}
    return {"id": number, "name": name, "description": title, **facts}


def server_type(
    number, name, sizes, architecture="x86", places=("fsn1", "nbg1"), closed=(), sold_out=(), deprecation=None
):
    cores, memory, disk = sizes
    return {
        "id": number,
        "name": name,
        "description": name.upper(),
        "category": "Shared",
        "cores": cores,
        "memory": memory,
        "disk": disk,
        "deprecated": deprecation is not None,
        "deprecation": deprecation,
        "prices": [price(place, "0.0060000000", "3.7900000000") for place in places],
        "storage_type": "local",
        "cpu_type": "shared",
        "architecture": architecture,
        "locations": [
            {
                "id": 1 + index,
                "name": place,
                "deprecation": DEPRECATION if place in closed else None,
                "available": place not in sold_out,
                "recommended": False,
            }
            for index, place in enumerate(places)
        ],
    }


def image(number, name, flavor, architecture="x86", **changes):
    return {
        "id": number,
        "type": "system",
        "status": "available",
        "name": name,
        "description": name.title(),
        "image_size": None,
        "disk_size": 5,
        "created": "2023-06-13T06:00:00Z",
        "created_from": None,
        "bound_to": None,
        "os_flavor": flavor,
        "os_version": name.partition("-")[2],
        "rapid_deploy": True,
        "protection": {"delete": False},
        "deprecated": None,
        "deleted": None,
        "labels": {},
        "architecture": architecture,
    } | changes


DEPRECATION = {"announced": "2025-01-01T00:00:00Z", "unavailable_after": "2025-06-01T00:00:00Z"}
LOCATIONS = [location(1, "fsn1", "Falkenstein DC Park 1"), location(2, "nbg1", "Nuremberg DC Park 1")]
TYPES = [
    server_type(1, "cx11", (1, 2.0, 20), deprecation=DEPRECATION),
    server_type(104, "cx22", (2, 4.0, 40)),
    server_type(105, "cx32", (4, 8.0, 80), closed=("nbg1",)),
    server_type(93, "cax11", (2, 4.0, 40), "arm", sold_out=("nbg1",)),
]
IMAGES = [
    image(45557056, "ubuntu-24.04", "ubuntu"),
    image(114690387, "debian-12", "debian"),
    image(114690389, "debian-12", "debian", "arm"),
    image(5924233, "debian-10", "debian", deprecated="2024-06-10T00:00:00Z"),
    image(40093140, "strange-1", "unknown"),
]
PRICING = {
    "currency": "EUR",
    "vat_rate": "19.000000",
    "primary_ips": [{"type": "ipv4", "prices": [price(p["name"], "0.0008000000", "0.5000000000") for p in LOCATIONS]}],
}
