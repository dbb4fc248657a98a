"""What people see, in a browser: the pages have nothing that axe finds, and mails fit the screen. Screenshots of mails are
written to target/screenshots; those under docs/images were made so."""

import json
import re
import shutil
import time
import urllib.request
from pathlib import Path

import axe_playwright_python
import pytest
from conftest import ROOT
from playwright.sync_api import sync_playwright

AXE = (Path(axe_playwright_python.__file__).parent / "axe.min.js").read_text()
CHROMIUM = shutil.which("chromium")
SCREENSHOTS = ROOT / "target" / "screenshots"
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium on this machine")


def call(ready, method, path, body=None):
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(f"{ready['api']}/api/v3{path}", method=method, data=data)
    request.add_header("apikey", ready["apiKey"])
    request.add_header("content-type", "application/json")
    with urllib.request.urlopen(request) as answer:
        return json.load(answer)


def get(url):
    with urllib.request.urlopen(url) as answer:
        return answer.read().decode()


def eventually(look):
    until = time.monotonic() + 60
    while time.monotonic() < until:
        if found := look():
            return found
        time.sleep(0.1)
    raise AssertionError("It did not come about within a minute.")


@pytest.fixture(scope="module")
def shop(ready):
    """The sample shop with its brand; returns the unsubscribe link of a mail."""
    call(ready, "PUT", "/brand", json.loads(get(f"{ready['inbox']}/shop/brand.json")))
    call(ready, "PUT", "/feeds/en-GB", {"url": f"{ready['inbox']}/shop/en-GB.xml"})
    call(ready, "POST", "/feeds/en-GB/imports")
    eventually(lambda: call(ready, "GET", "/feeds/en-GB")["lastImport"]["status"] == "succeeded")
    contact = call(ready, "POST", "/contacts", {"email": "you@example.com", "firstName": "You"})["id"]
    waiting = {"contactId": contact, "sku": "SKU-1", "locale": "en-GB"}
    call(ready, "POST", "/inventory/backinstock/subscriptions", waiting)
    call(ready, "PUT", "/inventory/stock-levels", {"sku": "SKU-1", "quantity": 1})
    mail = eventually(lambda: json.loads(get(f"{ready['inbox']}/messages")))[0]
    return re.search(r"<(.*)>", mail["headers"]["List-Unsubscribe"])[1]


@pytest.fixture(scope="module")
def browser():
    quiet = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=quiet)
        yield browser
        browser.close()


def faults(page, options=None):
    page.evaluate(AXE)
    found = page.evaluate("options => axe.run(options)", options or {})["violations"]
    return [f"{fault['id']}: {node['html'][:100]}" for fault in found for node in fault["nodes"]]


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 1000])
def test_the_pages_have_nothing_that_axe_finds(ready, shop, browser, scheme, width):
    page = browser.new_page(viewport={"width": width, "height": 800}, color_scheme=scheme)
    for url in [shop, shop.replace("/unsubscribe/", "/unsubscribe/x"), f"{ready['inbox']}/gallery", f"{ready['inbox']}/"]:
        page.goto(url, wait_until="networkidle")
        # The frames have mails, which the next test looks at.
        assert faults(page, {"iframes": False}) == [], url
    page.close()


@pytest.mark.parametrize("language", ["en", "sv", "de", "pl", "he"])
@pytest.mark.parametrize(("scheme", "width"), [("light", 700), ("dark", 360)])
def test_mails_fit_the_screen_and_can_be_read(ready, shop, browser, language, scheme, width):
    page = browser.new_page(viewport={"width": width, "height": 400})
    page.goto(
        f"{ready['inbox']}/gallery/mail?template=back-in-stock&locale={language}&scheme={scheme}",
        wait_until="networkidle",
    )
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=SCREENSHOTS / f"mail-{language}-{scheme}-{width}.png", full_page=True)

    # A mail is no page: it has no landmarks.
    no_landmarks = {"rules": {"landmark-one-main": {"enabled": False}, "region": {"enabled": False}}}
    assert faults(page, no_landmarks) == []
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    page.close()
