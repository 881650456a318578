"""The credentials of a taskserv in the console: asked for by POST, by those who may, each look recorded."""

import logging

import pytest
from django.test import Client

from apps.system.encryption import seal
from apps.taskservs.models import CredentialAccess, Taskserv
from apps.taskservs.services import credentials
from tests.console import browser, page, seeded, shown_messages

BUTTON = "Show credentials"


@pytest.fixture
def redis(install, web_01):
    return Taskserv.objects.get(pk=install("redis"))


def address(taskserv):
    return page(taskserv).replace("/change/", "/credentials/")


@pytest.mark.parametrize("role", ["admin", "operator", "developer"])
def test_it_shows_each_value_to_copy_and_records_the_look(redis, role, caplog):
    client, word = browser(seeded("olga", role)), credentials.opened(redis)["password"]
    before = client.get(page(redis)).content.decode()
    assert BUTTON in before and word not in before
    with caplog.at_level(logging.DEBUG):
        answer = client.post(address(redis))
    html = answer.content.decode()
    assert f'data-copy="{word}"' in html and "This look was recorded" in html and "<td>Password</td>" in html
    assert "no-store" in answer["Cache-Control"]
    assert word not in caplog.text and not any(word in str(value) for value in client.session.values())
    assert CredentialAccess.objects.values_list("taskserv_id", "username").get() == (redis.pk, "olga")
    after = client.get(page(redis)).content.decode()
    assert "Looks at its credentials" in after and word not in after


def test_it_shows_nothing_to_those_who_may_not(redis):
    client = browser(seeded("viv", "viewer"))
    assert BUTTON not in client.get(page(redis)).content.decode()
    assert client.post(address(redis)).status_code == 403
    assert not CredentialAccess.objects.exists()


def test_it_has_to_be_asked_for_by_a_form_of_the_page(redis):
    """A link or another site's form shows and records nothing."""
    olga = seeded("olga", "operator")
    assert browser(olga).get(address(redis)).headers["Location"] == page(redis)
    stranger = Client(enforce_csrf_checks=True)
    stranger.force_login(olga)
    assert stranger.post(address(redis)).status_code == 403
    assert not CredentialAccess.objects.exists()


def test_it_is_offered_only_where_there_are_some(install, web_01):
    nginx, client = Taskserv.objects.get(pk=install("nginx")), browser(seeded("olga", "operator"))
    assert BUTTON not in client.get(page(nginx)).content.decode()
    assert client.post(address(nginx)).headers["Location"] == page(nginx)
    assert not CredentialAccess.objects.exists()


def test_it_shows_what_is_no_text_as_json_and_escapes_everything(redis):
    values = {"password": '"<b>&', "users": [{"name": "ann"}]}
    Taskserv.objects.filter(pk=redis.pk).update(sealed_secrets=seal(values))
    html = browser(seeded("olga", "operator")).post(address(redis)).content.decode()
    assert 'data-copy="&quot;&lt;b&gt;&amp;"' in html
    assert "&quot;name&quot;: &quot;ann&quot;" in html


def test_it_says_when_they_cannot_be_opened(redis, settings):
    settings.CREDENTIALS_KEYS = ["another-key-of-many-characters"]
    client = browser(seeded("olga", "operator"))
    assert BUTTON in client.get(page(redis)).content.decode()
    answer = client.post(address(redis), follow=True)
    assert answer.redirect_chain[-1][0] == page(redis)
    assert "restore the key, or enter it again" in shown_messages(answer)[0]
    assert not CredentialAccess.objects.exists()
