"""What an account is made of: its credentials, where it is reached, its limits."""

from decimal import Decimal

import pytest

from apps.providers.errors import BadCredentials
from apps.providers.models import CloudAccount
from apps.providers.services import change_account, create_account
from tests.console import browser, seeded

ADD = "/admin/providers/cloudaccount/add/"
KEYS = {"access_key_id": "AKIA", "secret_access_key": "hush", "regions": "eu-west-1"}
NO_LIMITS = {"time_limit": "", "max_servers": "", "max_monthly_price": "", "max_creating": ""}


@pytest.fixture
def post(db):
    """Fill in the admin's form for a new account."""
    client = browser(seeded("chief", "admin"))

    def send(**facts):
        known = {"provider": "upcloud", "name": "new", "workspace": "", "endpoint": "", "enabled": "on"}
        return client.post(ADD, known | NO_LIMITS | {"credential_upcloud_token": "abc"} | facts)

    return send


def errors(answer):
    assert answer.status_code == 200
    return {name: " ".join(errors) for name, errors in answer.context["adminform"].form.errors.items()}


@pytest.mark.parametrize(
    ("provider", "credentials"),
    [("upcloud", {"token": "t"}), ("upcloud", {"username": "u", "password": "p"}), ("aws", KEYS), ("local", {})]
    + [("aws", KEYS | {"session_token": "s"})],
)
def test_it_takes_each_complete_set_of_credentials(provider, credentials, db):
    assert create_account(provider=provider, name="new", endpoint="", credentials=credentials).pk


@pytest.mark.parametrize(
    ("provider", "credentials", "problems"),
    [
        ("upcloud", {}, "token is missing"),
        ("upcloud", {"username": "u"}, "password is missing"),
        ("upcloud", {"username": "u", "pasword": "hush"}, "password is missing"),
        ("upcloud", {"token": "t", "hush": "x"}, "Take out what is not among them"),
        ("aws", {"access_key_id": "AKIA"}, "secret_access_key and regions are missing"),
        ("local", {"token": "t"}, "The credentials of local are: none."),
    ],
)
def test_it_names_what_is_missing_and_saves_nothing(provider, credentials, problems, db):
    with pytest.raises(BadCredentials) as refusal:
        create_account(provider=provider, name="new", endpoint="", credentials=credentials)
    assert problems in refusal.value.text
    assert "hush" not in refusal.value.text
    assert not CloudAccount.objects.exists()


def test_it_holds_a_change_to_the_same(account):
    facts = {"name": "default", "endpoint": account.endpoint, "workspace": None, "enabled": True}
    with pytest.raises(BadCredentials):
        change_account(account=account, credentials={"password": "p"}, **facts)


def test_the_form_takes_limits_and_no_endpoint(post):
    answer = post(max_servers="10", max_monthly_price="99.50", max_creating="3", time_limit="600")
    assert answer.status_code == 302, errors(answer)
    made = CloudAccount.objects.get()
    assert (made.endpoint, made.max_servers, made.max_monthly_price) == ("", 10, Decimal("99.50"))
    assert (made.max_creating, made.time_limit) == (3, 600)


def test_the_form_takes_an_engine_here_without_credentials(post):
    answer = post(provider="local", credential_upcloud_token="", endpoint="unix:///run/podman/podman.sock")
    assert answer.status_code == 302, errors(answer)


@pytest.mark.parametrize("endpoint", ["http://169.254.169.254/", "https://169.254.169.254/", "https://[::1", "ftp:x"])
def test_the_form_refuses_an_endpoint_that_must_not_get_credentials(post, endpoint):
    assert "https://" in errors(post(endpoint=endpoint))["endpoint"]
    assert not CloudAccount.objects.exists()


def test_the_form_says_which_credentials_each_provider_needs(post):
    fields = post(name="").context["adminform"].form.fields
    assert "oken, or username and password" in fields["credential_upcloud_token"].help_text
    assert "Access key ID, secret access key and regions" in fields["credential_aws_access_key_id"].help_text
    problems = errors(post(credential_upcloud_token="", credential_upcloud_username="u"))
    assert "credential_upcloud_password" in problems and "credential_upcloud_username" not in problems
