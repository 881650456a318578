"""No secret of an account is ever shown, logged or stored in the clear, whatever goes wrong with it."""

import logging

import pytest
from django.apps import apps
from django.core import serializers
from django.test import Client

from apps.operations.models import Event, Operation
from apps.providers import services
from apps.providers.models import CloudAccount
from apps.providers.registry import drivers
from apps.system.encryption import unseal
from tests.console import browser, listing, page, seeded
from tests.routes import routes

SECRET = "Zx9recognizable_{provider}_{name}_secret"  # an access key id takes no dashes
# These are no secrets, and drivers refuse others.
OPEN = {"regions": "eu-west-1"}


def credentials_of(provider):
    """The largest set of credentials that a provider takes, each one recognizable."""
    names = max(drivers()[provider].credentials, key=len, default=())
    return {name: OPEN.get(name) or SECRET.format(provider=provider, name=name) for name in names}


@pytest.fixture
def chief(db):
    return seeded("chief", "admin")


@pytest.fixture
def everywhere(cloud, workspace):
    """An account at each provider, all of which meet the emulator or nobody."""
    return [
        services.create_account(
            provider=provider,
            name="secretive",
            endpoint="" if provider == "local" else cloud.url,
            credentials=credentials_of(provider),
        )
        for provider in drivers()
    ]


@pytest.fixture
def secrets():
    found = [value for name in drivers() for value in credentials_of(name).values() if value not in OPEN.values()]
    assert len(found) >= 5
    return found


def verbose(caplog):
    """Hear all that a deployment with LOG_LEVEL=DEBUG would log, and more."""
    caplog.set_level(logging.DEBUG)
    for name in list(logging.root.manager.loggerDict):
        if not name.startswith("botocore"):  # kept quiet by the settings, whatever LOG_LEVEL says
            caplog.set_level(logging.DEBUG, logger=name)  # set back afterwards


def spoiled(cloud):
    """Ways in which a cloud fails, each of which an error could quote."""
    yield lambda: cloud.refuse_next("AUTHENTICATION_FAILED", status=401, method=None, path="", times=1)
    yield lambda: cloud.break_gateway_next(method=None, path="", times=1)
    yield lambda: cloud.respond_next(500, text="oops", method=None, path="", times=1)
    yield lambda: cloud.lose_next_answer(method=None, path="")
    yield lambda: cloud.limit_rate_next(method=None, path="")


def leaks(text, secrets):
    return [secret for secret in secrets if secret in text]


@pytest.mark.slow
def test_it_shows_and_stores_no_secret(
    everywhere, secrets, account, body, cloud, chief, api, alice, run_worker, caplog
):
    verbose(caplog)
    answers = []
    for spoil in (lambda: None, *spoiled(cloud)):
        spoil()
        for one in everywhere:
            services.check_account(account=one)
        run_worker()
        cloud.heal()
    services.refresh_all()
    run_worker()
    answers.append(api(alice).post("/v1/servers/create", body))  # one that succeeds
    run_worker()
    CloudAccount.objects.filter(pk=account.pk).update(
        sealed_credentials=CloudAccount.objects.get(provider="upcloud", name="secretive").sealed_credentials
    )
    answers.append(api(alice).post("/v1/servers/create", {**body, "hostname": "web-02"}))  # one that fails
    run_worker()
    assert Operation.objects.filter(error_code="PROVIDER_AUTH").exists()
    answers += [
        api(chief).generic(route.method, route.url, b"{}", content_type="application/json") for route in routes()
    ]
    answers += pages_of(browser(chief))
    texts = [b"".join(answer).decode() if answer.streaming else answer.content.decode() for answer in answers]
    assert not [found for text in texts for found in leaks(text, secrets)]
    assert not leaks(str(list(Event.objects.values())) + str(list(Operation.objects.values())), secrets)
    heard = {record.name.partition(".")[0] for record in caplog.records}
    assert heard >= {"httpcore", "httpx", "urllib3"}, heard
    assert not leaks(caplog.text, secrets)
    assert not leaks("\n".join(record.getMessage() + str(record.args) for record in caplog.records), secrets)
    rows = [row for model in apps.get_models() if model._meta.managed for row in model._base_manager.all()]
    assert not leaks(serializers.serialize("json", rows), secrets)
    assert [unseal(one.sealed_credentials, what=one) for one in everywhere] == [
        credentials_of(one.provider) for one in everywhere
    ]


def pages_of(client: Client):
    """Every list and page of the admin that shows accounts and operations."""
    for model in (CloudAccount, Operation):
        yield client.get(listing(model))
        for row in model.objects.all()[:20]:
            yield client.get(page(row))
            if model is CloudAccount:
                yield client.get(page(row).replace("change", "history"))
