"""template.yaml on MiniStack, an AWS emulator that others wrote: it is deployed, changed and deleted, and the functions of this
build do the main job there, called as a retailer calls them.
"""
import json
import os
import platform
import re
import socket
import subprocess
import sys
import time
import urllib.request
from collections import Counter
from pathlib import Path

import boto3
import pytest
from botocore.exceptions import ClientError, EndpointConnectionError

ROOT = Path(__file__).parents[2]
sys.path.append(str(ROOT / "infra"))
import package

STACK = "restock"
CAPABILITIES = ["CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND"]
# .ci/run puts them there.
MINISTACK = ROOT / "target/ci-ministack/bin/ministack"
SAM = ROOT / "target/ci-tools/bin/sam"
# What has no default; and without metrics there is no alarm of two of them, which MiniStack does not know.
GIVEN = {"Sender": "Restock <restock@shop.example>", "SenderIdentity": "shop.example", "Metrics": "false"}
KEYS = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test"}
RETAINED = {"Configuration", "Contacts", "Deliveries", "Log", "Purchases", "Stock", "Subscriptions"}


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def wait_for(look):
    for _ in range(600):
        found = look()
        if found is not None:
            return found
        time.sleep(0.1)
    raise TimeoutError


class Cloud:
    def __init__(self, url):
        self.url = url

    def client(self, service):
        keys = {"aws_access_key_id": "test", "aws_secret_access_key": "test"}
        return boto3.client(service, endpoint_url=self.url, region_name="eu-north-1", **keys)

    def is_there(self):
        try:
            return self.client("sqs").list_queues()
        except EndpointConnectionError:
            return None

    def put(self, key, body):
        self.client("s3").put_object(Bucket="code", Key=key, Body=body)
        return f"{self.url}/code/{key}"

    def settled(self):
        """Returns the stack's status once it no longer changes; "GONE" if there is none."""

        def look():
            try:
                status = self.client("cloudformation").describe_stacks(StackName=STACK)["Stacks"][0]["StackStatus"]
            except ClientError:
                return "GONE"
            return None if status.endswith("IN_PROGRESS") else status

        return wait_for(look)

    def functions(self):
        pages = self.client("lambda").get_paginator("list_functions").paginate()
        return [function for page in pages for function in page["Functions"]]


pytestmark = pytest.mark.skipif(not MINISTACK.exists(), reason="MiniStack is not installed; .ci/run says how")


@pytest.fixture
def cloud(tmp_path):
    port = free_port()
    environment = os.environ | {"BIND_HOST": "127.0.0.1", "GATEWAY_PORT": str(port)}
    with (tmp_path / "log").open("w") as log:
        emulator = subprocess.Popen([MINISTACK], cwd=tmp_path, env=environment, stdout=log, stderr=log)
    try:
        cloud = Cloud(f"http://127.0.0.1:{port}")
        wait_for(cloud.is_there)
        location = {"LocationConstraint": "eu-north-1"}
        cloud.client("s3").create_bucket(Bucket="code", CreateBucketConfiguration=location)
        yield cloud
    finally:
        emulator.terminate()
        emulator.wait()


def changed(text, changes):
    for written, packaged in changes:
        assert written in text, written
        text = text.replace(written, packaged)
    return text


def template(cloud, tmp_path, built, memory="256"):
    """Packages the template as docs/deploy.md has it, for this machine; returns its URL. The functions `built` are those of this build,
    and all others an empty program."""
    here = "arm64" if platform.machine() in ("arm64", "aarch64") else "x86_64"
    of_all = "        METRICS_NAMESPACE:"
    endpoint = f"        AWS_ENDPOINT_URL: {cloud.url}\n{of_all}"
    text = changed(package.TEMPLATE.read_text(), [
        ("Architectures: [arm64]", f"Architectures: [{here}]"),
        (of_all, endpoint),
        ("MemorySize: 256", f"MemorySize: {memory}"),
        ("DeletionProtectionEnabled: !Ref DeletionProtection", "DeletionProtectionEnabled: false"),
    ])
    # CloudFormation makes numbers and booleans of a mapping's and a parameter's texts; MiniStack does not.
    text, count = re.subn(r"MaximumConcurrency: !FindInMap \[Throughput, .*?\]", "MaximumConcurrency: 2", text)
    assert count == 2
    programs = {name: b"#!/bin/sh\n" for name in package.functions(text)}
    for name in built:
        subprocess.run(["strip", "-o", tmp_path / name, ROOT / "target/debug" / name], check=True)
        programs[name] = (tmp_path / name).read_bytes()
    folder = tmp_path / "package"
    package.write(programs, text, folder)
    packaged = tmp_path / "packaged.yaml"
    command = [SAM, "package", "--language-extensions", "--template-file", folder / "template.yaml"]
    command += ["--s3-bucket", "code", "--region", "eu-north-1", "--output-template-file", packaged]
    environment = os.environ | KEYS | {"AWS_ENDPOINT_URL": cloud.url, "SAM_CLI_TELEMETRY": "0"}
    subprocess.run(command, cwd=ROOT, env=environment, check=True, capture_output=True)
    return cloud.put(f"{memory}.yaml", packaged.read_bytes())


def parameters(values):
    return [{"ParameterKey": name, "ParameterValue": value} for name, value in (GIVEN | values).items()]


def listed_tables(cloud):
    return cloud.client("dynamodb").list_tables()["TableNames"]


def event_destinations(cloud):
    ses = cloud.client("sesv2")
    [name] = ses.list_configuration_sets()["ConfigurationSets"]
    return ses.get_configuration_set_event_destinations(ConfigurationSetName=name)["EventDestinations"]


def test_the_template_is_deployed_changed_and_deleted_and_what_shops_can_not_make_again_stays(cloud, tmp_path):
    # This one is invoked by the deployment itself.
    built = ["make-secrets"]
    subprocess.run(["cargo", "build", "--quiet", "--workspace"], cwd=ROOT, check=True)
    stacks = cloud.client("cloudformation")

    url = template(cloud, tmp_path, built)
    stacks.create_stack(StackName=STACK, TemplateURL=url, Capabilities=CAPABILITIES, Parameters=parameters({}))
    assert cloud.settled() == "CREATE_COMPLETE"
    pages = stacks.get_paginator("list_stack_resources").paginate(StackName=STACK)
    made = [resource for page in pages for resource in page["StackResourceSummaries"]]
    assert {resource["ResourceStatus"] for resource in made} == {"CREATE_COMPLETE"}
    functions = len(list((ROOT / "functions").iterdir()))
    assert Counter(resource["ResourceType"] for resource in made)["AWS::Lambda::Function"] == functions

    def update(memory, changes):
        url = template(cloud, tmp_path, built, **memory)
        stacks.update_stack(StackName=STACK, TemplateURL=url, Capabilities=CAPABILITIES, Parameters=parameters(changes))
        assert cloud.settled() == "UPDATE_COMPLETE"
        settings = [function["Environment"]["Variables"] for function in cloud.functions() if "Environment" in function]
        rates = {variables["MAX_MAILS_PER_SECOND"] for variables in settings if "MAX_MAILS_PER_SECOND" in variables}
        told = [destination for destination in event_destinations(cloud) if "EventBridgeDestination" in destination]
        return rates, bool(told), 320 in {function["MemorySize"] for function in cloud.functions()}

    assert update({"memory": "320"}, {"MaxMailsPerSecond": "50", "PublishEvents": "true"}) == ({"50"}, True, True)
    # And back.
    assert update({}, {"MaxMailsPerSecond": "0", "PublishEvents": "false"}) == ({"0"}, False, False)

    stacks.delete_stack(StackName=STACK)
    assert cloud.settled() == "GONE"
    tables = listed_tables(cloud)
    assert {name.removeprefix(f"{STACK}-").partition("Table")[0] for name in tables} == RETAINED
    assert (cloud.client("sqs").list_queues().get("QueueUrls", []), cloud.functions()) == ([], [])


class Retailer:
    """Whoever calls the API of a deployment."""

    def __init__(self, cloud, url, key):
        self.gateway, self.host, self.key = cloud.url, url.split("/")[2], key

    def call(self, method, path, body=None, content_type="application/json"):
        data = body.encode() if isinstance(body, str) else json.dumps(body).encode() if body is not None else None
        headers = {"apikey": self.key, "content-type": content_type, "host": self.host}
        request = urllib.request.Request(f"{self.gateway}/api/v3{path}", data, headers, method=method)
        with urllib.request.urlopen(request) as answer:
            return json.load(answer)


def test_the_functions_of_this_build_do_the_main_job_as_deployed(cloud, tmp_path):
    subprocess.run(["cargo", "build", "--quiet", "--workspace"], cwd=ROOT, check=True)
    stacks = cloud.client("cloudformation")
    cloud.client("sesv2").create_email_identity(EmailIdentity="shop.example")
    url = template(cloud, tmp_path, package.functions(package.TEMPLATE.read_text()))
    stacks.create_stack(StackName=STACK, TemplateURL=url, Capabilities=CAPABILITIES, Parameters=parameters({}))
    assert cloud.settled() == "CREATE_COMPLETE"
    outputs = stacks.describe_stacks(StackName=STACK)["Stacks"][0]["Outputs"]
    outputs = {output["OutputKey"]: output["OutputValue"] for output in outputs}

    # As docs/deploy.md has it, with the operator's command.
    account = KEYS | {"AWS_ENDPOINT_URL": cloud.url, "AWS_REGION": "eu-north-1"}
    restock = [ROOT / "target/debug/restock", "--table", outputs["ConfigurationTableName"]]
    create = [*restock, "keys", "create", "--name", "smoke", "--may", "operator", "--expires-in", "1d"]
    key = subprocess.run(create, env=account, check=True, capture_output=True, text=True).stdout.strip()
    listed = subprocess.run([*restock, "keys", "list"], env=account, check=True, capture_output=True, text=True).stdout
    assert "smoke: operator" in listed and key not in listed

    shop = Retailer(cloud, outputs["ApiUrl"], key)
    feed = "id,title,link,price\nA,Wool sweater,https://shop.example/a,49.00 GBP\n"
    shop.call("PUT", "/feeds/en-GB", {})
    shop.call("POST", "/feeds/en-GB/imports", feed, "text/csv")
    wait_for(lambda: shop.call("GET", "/feeds/en-GB")["lastImport"]["status"] == "succeeded" or None)
    contact = shop.call("POST", "/contacts", {"email": "ann@example.com", "firstName": "Ann"})["id"]
    waiting = {"contactId": contact, "sku": "A", "locale": "en-GB"}
    shop.call("POST", "/inventory/backinstock/subscriptions", waiting)
    shop.call("PUT", "/inventory/stock-levels", {"sku": "A", "quantity": 5})

    def mails():
        with urllib.request.urlopen(f"{cloud.url}/_ministack/ses/messages") as answer:
            messages = json.load(answer)["messages"]
        return [mail for of_account in messages.values() for mail in of_account] or None

    [mail] = wait_for(mails)
    # What SES does with the data that all mails of a request share, MiniStack leaves out; the words are looked at elsewhere.
    assert (mail["To"], mail["Source"]) == (["ann@example.com"], '"Restock" <restock@shop.example>')

    def logged():
        entries = shop.call("GET", "/inventory/backinstock/log?sku=A")["entries"]
        return next((entry for entry in entries if entry["mails"].get("accepted") == 1), None)

    assert wait_for(logged)["sku"] == "A"

    def operated(*command):
        done = subprocess.run([*restock, *command], env=account, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return done.stdout

    status = operated("status")
    assert "mails leave" in status and "en-GB" in status, status
    assert operated("redrive").count("moved back: 0") == 5
    assert shop.call("GET", f"/contacts/{contact}/backinstock/subscriptions") == []

    # As docs/operations.md has it, but for the new stack: from a backup into an empty table, and not into one in use.
    tables, [contacts] = cloud.client("dynamodb"), [name for name in listed_tables(cloud) if "-ContactsTable-" in name]
    backup = tables.create_backup(TableName=contacts, BackupName="before")["BackupDetails"]["BackupArn"]
    tables.restore_table_from_backup(TargetTableName="restored", BackupArn=backup)
    key_schema, attributes = [{"AttributeName": "key", "KeyType": "HASH"}], [{"AttributeName": "key", "AttributeType": "S"}]
    tables.create_table(
        TableName="new", KeySchema=key_schema, AttributeDefinitions=attributes, BillingMode="PAY_PER_REQUEST"
    )
    assert operated("copy", "restored", "new").startswith("copied: 2,")
    with pytest.raises(AssertionError, match="would come back"):
        operated("copy", "restored", contacts)
    assert shop.call("PUT", "/sending/pause")["state"] == "paused"
