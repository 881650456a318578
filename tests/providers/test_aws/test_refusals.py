"""What AWS's error codes come to when a machine is ordered."""

import pytest

from apps.providers.drivers.base import OutcomeUnknown, ProviderError, TransientProviderError
from tests.providers.clouds import on_stages
from tests.providers.clouds.moto_server import refusal
from tests.providers.test_every_driver.patience import raises

pytestmark = on_stages("aws")


@pytest.mark.parametrize(
    ("code", "status", "error", "public"),
    [
        ("AuthFailure", 401, ProviderError, "PROVIDER_AUTH"),
        ("SignatureDoesNotMatch", 403, ProviderError, "PROVIDER_AUTH"),
        ("RequestExpired", 400, ProviderError, "PROVIDER_AUTH"),
        ("ExpiredToken", 400, ProviderError, "PROVIDER_AUTH"),
        ("UnauthorizedOperation", 403, ProviderError, "PROVIDER_FORBIDDEN"),
        ("OptInRequired", 401, ProviderError, "PROVIDER_BILLING"),
        ("PendingVerification", 400, ProviderError, "PROVIDER_BILLING"),
        ("Blocked", 400, ProviderError, "PROVIDER_BILLING"),
        ("InstanceLimitExceeded", 400, ProviderError, "PROVIDER_QUOTA"),
        ("VcpuLimitExceeded", 400, ProviderError, "PROVIDER_QUOTA"),
        ("VolumeLimitExceeded", 400, ProviderError, "PROVIDER_QUOTA"),
        ("InsufficientInstanceCapacity", 500, ProviderError, "PROVIDER_CAPACITY"),
        ("Server.InsufficientInstanceCapacity", 500, ProviderError, "PROVIDER_CAPACITY"),
        ("InsufficientFreeAddressesInSubnet", 400, ProviderError, "PROVIDER_CAPACITY"),
        ("Unsupported", 400, ProviderError, "PROVIDER_INVALID"),
        ("InvalidParameterValue", 400, ProviderError, "PROVIDER_INVALID"),
        ("VPCIdNotSpecified", 400, ProviderError, "PROVIDER_INVALID"),
        ("SomethingNew", 400, ProviderError, "PROVIDER_INVALID"),
        ("RequestLimitExceeded", 503, TransientProviderError, "PROVIDER_RATE_LIMITED"),
        ("Throttling", 400, TransientProviderError, "PROVIDER_RATE_LIMITED"),
        ("IncorrectState", 400, TransientProviderError, "PROVIDER_BUSY"),
        ("IdempotentInstanceTerminated", 400, TransientProviderError, "PROVIDER_BUSY"),
        ("IdempotentParameterMismatch", 400, OutcomeUnknown, "PROVIDER_ANSWER_LOST"),
        ("InternalError", 500, OutcomeUnknown, "PROVIDER_ANSWER_LOST"),
        ("Unavailable", 503, OutcomeUnknown, "PROVIDER_ANSWER_LOST"),
    ],
)
def test_it_says_why_a_machine_was_not_made(stage, driver, code, status, error, public):
    answer = {"status": status, "text": refusal(code), "content_type": "text/xml"}
    stage.proxy.fault("respond", body=stage.create_call.body, **answer)
    with raises(error, public) as caught:
        driver.create(stage.spec())
    assert type(caught.value) is error
    assert (caught.value.data["cloud_code"], caught.value.data["status"]) == (code, status)
    assert caught.value.data["correlation_id"] == "r-1"
    assert "Told to say" not in f"{caught.value} {caught.value.data}"
    assert stage.orders() == 1 and stage.refs() == []


@pytest.mark.parametrize("status", [200, 400, 403, 404])
@pytest.mark.parametrize("text", ["<html><body>Please log in</body></html>", "not even a page", ""])
def test_it_is_in_doubt_after_an_answer_of_somebody_else(stage, driver, status, text):
    page = {"status": status, "text": text, "content_type": "text/html"}
    stage.proxy.fault("respond", body=stage.create_call.body, **page)
    with raises(OutcomeUnknown, "PROVIDER_ANSWER_LOST"):
        driver.create(stage.spec())


@pytest.mark.parametrize("text", ["<html><body>Please log in</body></html>", "not even a page", ""])
def test_it_takes_somebody_else_s_page_for_no_list(stage, driver, text):
    driver.create(stage.spec())
    stage.proxy.fault("respond", times=None, status=200, text=text, content_type="text/html")
    for read in (driver.list, driver.zones, driver.images, lambda: driver.find("srv-abc123")):
        with raises(TransientProviderError, "PROVIDER_UNAVAILABLE"):
            read()


@pytest.mark.parametrize("text", ["<html/>", ""])
def test_it_concludes_nothing_about_a_machine_from_somebody_else_s_page(stage, driver, text):
    stage.proxy.fault("respond", times=None, status=404, text=text, content_type="text/html")
    with raises(TransientProviderError, "PROVIDER_UNAVAILABLE"):
        driver.get(stage.nobody)
    with raises(TransientProviderError, "PROVIDER_UNAVAILABLE"):
        driver.delete(stage.nobody, server_id="srv-abc123")
