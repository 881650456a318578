"""Pages for browsers: the start page, what is not there, and the headers of every answer."""

import logging
import re

import pytest
from django.contrib import admin
from django.test import Client

from provisioning import admin_urls  # noqa: F401 - registers the pages

HTML = {"HTTP_ACCEPT": "text/html,application/xhtml+xml,*/*;q=0.8"}
PAGES = ["/", "/nothing", "/admin/login/", "/v1/docs", "/favicon.ico/x"]


@pytest.fixture
def chief(db, django_user_model):
    return django_user_model.objects.create_superuser("chief", password="x")


@pytest.fixture
def browser(chief):
    client = Client(raise_request_exception=False, **HTML)
    client.force_login(chief)
    return client


# ── pages ─────────────────────────────────────────────────────────────────────────────────────────────────────────────
def test_it_links_to_what_there_is(db):
    page = Client().get("/", **HTML)
    assert (page.status_code, page["Content-Type"]) == (200, "text/html; charset=utf-8")
    links = set(re.findall(r'href="(/[^"]*)"', page.content.decode()))
    assert {"/admin/", "/v1/docs", "/health"} <= links
    for link in (link for link in links if not link.startswith("/static/")):
        assert Client().get(link, follow=True, **HTML).status_code == (503 if link == "/health/workers" else 200), link


@pytest.mark.parametrize("accept", [{}, {"HTTP_ACCEPT": "*/*"}, {"HTTP_ACCEPT": "application/json"}])
def test_it_answers_programs_in_json(accept, db):
    answer = Client().get("/", **accept)
    assert answer["Content-Type"] == "application/json"
    assert answer.json()["links"]["docs"] == "/v1/docs"


@pytest.mark.parametrize("path", ["/nothing", "/V1/servers", "/Admin/", "/HEALTH", "/admin/nothing/", "/%00"])
def test_it_has_a_page_for_what_is_not_there(path, browser):
    page = browser.get(path)
    assert page.status_code == 404 and b"There is nothing at" in page.content
    answer = Client().get(path)
    assert answer.status_code in (302, 404)
    if answer.status_code == 404:
        assert answer.json()["error"] == "NOT_FOUND"


@pytest.mark.parametrize(("path", "meant"), [("/Admin/", "/admin/"), ("/V1/Servers", "/v1/servers"), ("/No", None)])
def test_it_suggests_the_address_in_lower_case(path, meant, db):
    page = Client().get(path, **HTML).content.decode()
    assert re.findall(r'Did you mean <a href="([^"]+)"', page) == ([meant] if meant else [])


def test_it_has_an_icon_everywhere(browser):
    for path in ("/", "/nothing", "/admin/", "/v1/docs"):
        [icon] = re.findall(r'rel="icon"[^>]*href="([^"]+)"', browser.get(path).content.decode())
        assert icon == "/static/system/favicon.svg"
    assert browser.get("/favicon.ico")["Location"] == icon
    answer = browser.get(icon)
    assert answer["Content-Type"] == "image/svg+xml"
    answer.close()


# ── headers ───────────────────────────────────────────────────────────────────────────────────────────────────────────
def test_it_has_a_policy_and_nothing_inline_on_every_page(browser):
    lists = [f"/admin/{m._meta.app_label}/{m._meta.model_name}/" for m in admin.site._registry]
    assert len(lists) > 8
    for path in [*PAGES, "/admin/", "/admin/password_change/", "/admin/accounts/user/add/", *lists]:
        page = browser.get(path)
        policy, is_console = page["Content-Security-Policy"], path.startswith("/admin/")
        for part in ("default-src 'none'", "connect-src 'self'", "font-src 'self'", "form-action 'self'"):
            assert part in policy, path
        scripts, styles = (f"{kind}-src 'self'" for kind in ("script", "style"))
        assert f"{scripts} 'unsafe-eval';" in policy + ";" if is_console else f"{scripts};" in policy + ";", path
        assert f"{styles} 'unsafe-inline';" in policy + ";" if is_console else f"{styles};" in policy + ";", path
        assert policy.count("unsafe") == (2 if is_console else 0), path
        assert "http" not in policy and "*" not in policy
        text = page.content.decode()
        for tag, content in re.findall(r"<script([^>]*)>(.*?)</script>", text, re.DOTALL):
            assert not content.strip() or 'type="application/json"' in tag or 'id="django-admin' in tag, path
        assert not re.search(r"<[^>]+\son[a-z]+=", text), path
        assert is_console or not re.search(r"<style|<[^>]+\sstyle=", text), path


def test_it_lets_nobody_store_answers_of_the_api(api, root, workspace, db):
    password = {"username": "root", "password": "correct-horse-battery-staple"}
    login = api().post("/v1/auth/login", password)
    assert (login.status_code, login["Cache-Control"]) == (200, "no-store")
    refresh = api().post("/v1/auth/refresh", {"refresh_token": login.json().get("refresh_token", "x")})
    assert refresh["Cache-Control"] == "no-store"
    for path in ("/v1/servers", "/v1/workspaces", "/v1/operations", "/v1/nothing"):
        assert api(root).get(path)["Cache-Control"] == "no-store", path


# ── the Host header ───────────────────────────────────────────────────────────────────────────────────────────────────
def test_it_refuses_a_foreign_host_in_one_line(db, settings, caplog, capfd):
    settings.ALLOWED_HOSTS = ["api.example.com"]
    with caplog.at_level(logging.WARNING):
        for path in ("/v1/servers", "/", "/admin/"):
            for host in ("evil.example.com", "a b\tc", "x" * 5000):
                assert Client().get(path, HTTP_HOST=host).status_code == 400
    lines = [record for record in caplog.records if record.levelno >= logging.WARNING]
    assert len(lines) == 9 and not any(record.exc_info for record in lines)
    assert all("\n" not in record.getMessage() and len(record.getMessage()) < 400 for record in lines)
    assert "Traceback" not in capfd.readouterr().err


@pytest.mark.parametrize("hosts", [["api.example.com"], [".example.com"], ["10.0.0.1", "b"], ["[::1]"]])
def test_it_answers_health_whatever_the_host(hosts, db, settings):
    settings.ALLOWED_HOSTS, settings.SECURE_SSL_REDIRECT = hosts, True
    settings.SECURE_REDIRECT_EXEMPT = [r"^health"]
    for host in ("localhost", "127.0.0.1:8083", "10.1.2.3", "[::1]:80", "evil.example.org", "a b"):
        for path in ("/health", "/health/ready"):
            assert Client().get(path, HTTP_HOST=host).status_code == 200
        assert Client().get("/health/workers", HTTP_HOST=host).status_code == 503


# ── the admin's lists ─────────────────────────────────────────────────────────────────────────────────────────────────
BAD = {
    "created_at__year": ["99999", "-1", "abc", "99999999999999999999"],
    "created_at__date": ["2026-13-45", "x"],
    "{pk}": ["99999999999999999999", "\x00", "é" * 300],
    "{pk}__in": ["1,x", "[]"],
    "{pk}__regex": ["(", "["],
    "{pk}__nope": ["1"],
    "{pk}__isnull": ["maybe"],
    "nothing__x": ["1"],
    "q": ["\x00", "%"],
    "p": ["-1", "abc", "99999999999999999999"],
    "o": ["99.-99.x"],
}


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
def test_it_breaks_at_no_query_string(browser):
    for model in admin.site._registry:
        address = f"/admin/{model._meta.app_label}/{model._meta.model_name}/"
        for name, values in BAD.items():
            for value in values:
                answer = browser.get(address, {name.format(pk=model._meta.pk.name): value})
                assert answer.status_code in (200, 302, 400, 403), (address, name, value)


@pytest.mark.django_db(transaction=True)
def test_it_says_that_a_filter_cannot_be_used(browser):
    page = browser.get("/admin/operations/operation/?created_at__year=99999", follow=True)
    assert page.status_code == 200 and "That filter cannot be used" in page.content.decode()
