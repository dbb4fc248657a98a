"""A client that others generated from Voyado's own API description drives Restock unchanged.

The package speaks /api/v2, sends the key as `apiKey`, an empty batch as `{}` and DELETE with the body `{}`, and needs
JSON in every success. Run it from the project's root with `pytest tests/clients`.
"""

import json
import time
import urllib.request
import uuid
from pathlib import Path

import pytest
from voyado_engage_sdk import VoyadoEngageSdk
from voyado_engage_sdk.models import StockLevelRequest, SubscriptionRequest
from voyado_engage_sdk.net.transport.request_error import RequestError

ROOT = Path(__file__).parents[2]
FEED = ROOT / "infra/local/sample-shop/sv-SE.xml"


@pytest.fixture(scope="module")
def sdk(ready):
    return VoyadoEngageSdk(api_key=ready["apiKey"], base_url=ready["api"])


@pytest.fixture
def contact_id(ready):
    return call(ready, "POST", "/contacts", {"email": f"{uuid.uuid4()}@example.com", "firstName": "Ada"})["id"]


def call(ready, method, path, body=None, content_type="application/json"):
    data = body if isinstance(body, bytes) else json.dumps(body).encode() if body is not None else None
    request = urllib.request.Request(ready["api"] + "/api/v3" + path, data, method=method)
    request.add_header("apikey", ready["apiKey"])
    request.add_header("content-type", content_type)
    with urllib.request.urlopen(request) as answer:
        return json.load(answer)


def eventually(look):
    until = time.monotonic() + 60
    while not (seen := look()):
        assert time.monotonic() < until, "waited in vain"
        time.sleep(0.05)
    return seen


def subscription(contact_id, sku, **others):
    return SubscriptionRequest(contact_id=contact_id, sku=sku, locale="sv-SE", **others)


def test_subscribe_is_answered_with_the_subscription(sdk, contact_id):
    made = sdk.inventory.back_in_stock_subscription_subscribe(subscription(contact_id, "V-1", external_id="SE-V-1"))

    assert made["contactId"] == contact_id
    assert (made["sku"], made["locale"], made["externalId"]) == ("V-1", "sv-SE", "SE-V-1")
    assert made["id"] and made["createdOn"]


def test_the_subscriptions_of_a_contact_are_listed(sdk, contact_id):
    made = [sdk.inventory.back_in_stock_subscription_subscribe(subscription(contact_id, sku)) for sku in ("V-2", "V-3")]

    listed = sdk.contacts.back_in_stock_subscription_get_by_contact_id(contact_id)

    # Subscribing is answered with more: whether a mail can come.
    assert listed == [{name: one[name] for name in shown} for one, shown in zip(made, listed, strict=True)]


def test_unsubscribe_is_answered_with_the_id(sdk, contact_id):
    made = sdk.inventory.back_in_stock_subscription_subscribe(subscription(contact_id, "V-4"))

    deleted = sdk.inventory.back_in_stock_subscription_unsubscribe(made["id"])

    assert deleted == {"id": made["id"]}
    assert sdk.contacts.back_in_stock_subscription_get_by_contact_id(contact_id) == []


def test_one_stock_level_is_accepted(sdk):
    answer = sdk.inventory.inventory_update_stock_level(StockLevelRequest(sku="V-5", quantity=3, locale="sv-se"))

    assert answer == {"accepted": 1, "rejected": []}


def test_several_stock_levels_are_accepted_and_none_too(sdk):
    several = [StockLevelRequest(sku=f"V-{n}", quantity=n) for n in range(20)]

    assert sdk.inventory.inventory_update_stock_levels(several) == {"accepted": 20, "rejected": []}
    assert sdk.inventory.inventory_update_stock_levels([]) == {"accepted": 0, "rejected": []}


def test_an_error_reaches_the_caller_with_its_status(sdk):
    with pytest.raises(RequestError) as raised:
        sdk.inventory.back_in_stock_subscription_subscribe(subscription(str(uuid.uuid4()), "V-6"))

    assert raised.value.status == 404
    assert raised.value.response.body["errorCode"] == "ContactNotFound"


def test_a_level_sent_by_the_client_mails_who_subscribed_with_it(ready, sdk, contact_id):
    started = call(ready, "POST", "/feeds/sv-SE/imports", FEED.read_bytes(), "application/xml")
    eventually(lambda: (last := call(ready, "GET", "/feeds/sv-SE")["lastImport"])["id"] == started["importId"] and last["status"] == "succeeded")
    sdk.inventory.back_in_stock_subscription_subscribe(subscription(contact_id, "SKU-1"))

    sdk.inventory.inventory_update_stock_level(StockLevelRequest(sku="SKU-1", quantity=1))

    def mails():
        with urllib.request.urlopen(ready["inbox"] + "/messages") as answer:
            return json.load(answer)

    assert eventually(mails)[0]["subject"] == "Åter i lager: Ylletröja Fjäll, gråmelerad"
    eventually(lambda: sdk.contacts.back_in_stock_subscription_get_by_contact_id(contact_id) == [])
