"""Where credentials may be sent."""

import pytest

from apps.providers.errors import BadEndpoint
from apps.providers.services.endpoints import check_endpoint

CLOUDS = [
    "",
    "https://api.upcloud.com/1.3",
    "https://cloud.example.org:8443/api",
    "https://10.0.0.7",
    "http://127.0.0.1:8083/emulator/1.3",
    "http://localhost:5000",
    "http://[::1]:5000",
    "http://127.9.9.9",
]
BAD = [
    "http://api.upcloud.com",
    "ftp://127.0.0.1",
    "api.upcloud.com",
    "https://",
    "https:///path",
    "https://[::1",
    "https://[fe80::1]",
    "https://[::ffff:169.254.169.254]",
    "https://169.254.169.254/latest",
    "http://169.254.169.254/latest",
    "https://2852039166/",
    "https://0xa9fea9fe/",
    "https://169.254.43518/",
    "https://0.0.0.0",
    "https://224.0.0.1",
    "https://[fd00:ec2::254]",
    "https://100.100.100.200",
    "https://METADATA.google.internal/",
    "https://metadata.google.internal./",
    "https://user:password@example.org",
    "http://127.0.0.1@example.org",
    "http://127.0.0.1.example.org",
    "https://example.org:99999",
    "https://example.org:0",
    "https://example.org/?a=b",
    "https://example.org/#a",
    "https://exa mple.org",
    "https://example.org\n",
    "https://example.org\\@127.0.0.1",
    "unix:///run/podman/podman.sock",
    "file:///etc/passwd",
]


@pytest.mark.parametrize("provider", ["upcloud", "aws"])
@pytest.mark.parametrize("endpoint", CLOUDS)
def test_it_takes_a_cloud_over_https_or_on_this_machine(provider, endpoint):
    check_endpoint(provider, endpoint)


@pytest.mark.parametrize("provider", ["upcloud", "aws"])
@pytest.mark.parametrize("endpoint", BAD, ids=repr)
def test_it_refuses_what_must_not_get_credentials(provider, endpoint):
    with pytest.raises(BadEndpoint):
        check_endpoint(provider, endpoint)


@pytest.mark.parametrize(
    "endpoint", ["", "unix:///run/podman/podman.sock", "tcp://127.0.0.1:2375", "http://[::1]:2375"]
)
def test_it_takes_an_engine_on_this_machine(endpoint):
    check_endpoint("local", endpoint)


@pytest.mark.parametrize("endpoint", ["https://example.org", "tcp://10.0.0.1:2375", "unix://relative", "ssh://root@h"])
def test_it_refuses_an_engine_elsewhere(endpoint):
    with pytest.raises(BadEndpoint):
        check_endpoint("local", endpoint)
