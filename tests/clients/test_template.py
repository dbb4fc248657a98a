"""template.yaml on MiniStack, an AWS emulator that others wrote: it is deployed, changed and deleted.

Functions are an empty program here; that they do their work is what the other tests are for.
"""

import io
import os
import socket
import subprocess
import time
import zipfile
from collections import Counter
from pathlib import Path

import boto3
import pytest
from botocore.exceptions import ClientError, EndpointConnectionError

ROOT = Path(__file__).parents[2]
STACK = "restock"
CAPABILITIES = ["CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND"]
# .ci/run puts it there.
MINISTACK = ROOT / "target/ci-ministack/bin/ministack"
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
        yield cloud
    finally:
        emulator.terminate()
        emulator.wait()


def template(cloud, name, memory="256"):
    """Uploads the template as `sam package` does, with an empty program for every function; returns its URL."""
    program = io.BytesIO()
    with zipfile.ZipFile(program, "w") as package:
        package.writestr("bootstrap", "#!/bin/sh\n")
    cloud.put("function.zip", program.getvalue())
    text = (ROOT / "template.yaml").read_text()
    changes = [("CodeUri: .", "CodeUri: s3://code/function.zip"), ("MemorySize: 256", f"MemorySize: {memory}")]
    for written, packaged in changes:
        assert written in text
        text = text.replace(written, packaged)
    return cloud.put(name, text.encode())


def test_the_template_is_deployed_changed_and_deleted_and_what_shops_can_not_make_again_stays(cloud):
    location = {"LocationConstraint": "eu-north-1"}
    cloud.client("s3").create_bucket(Bucket="code", CreateBucketConfiguration=location)
    stacks = cloud.client("cloudformation")

    stacks.create_stack(StackName=STACK, TemplateURL=template(cloud, "first.yaml"), Capabilities=CAPABILITIES)
    assert cloud.settled() == "CREATE_COMPLETE"
    pages = stacks.get_paginator("list_stack_resources").paginate(StackName=STACK)
    made = [resource for page in pages for resource in page["StackResourceSummaries"]]
    assert {resource["ResourceStatus"] for resource in made} == {"CREATE_COMPLETE"}
    functions = len(list((ROOT / "functions").iterdir()))
    assert Counter(resource["ResourceType"] for resource in made)["AWS::Lambda::Function"] == functions

    url = template(cloud, "second.yaml", memory="320")
    parameters = [{"ParameterKey": "MaxMailsPerSecond", "ParameterValue": "50"}]
    stacks.update_stack(StackName=STACK, TemplateURL=url, Capabilities=CAPABILITIES, Parameters=parameters)
    assert cloud.settled() == "UPDATE_COMPLETE"
    settings = [function["Environment"]["Variables"] for function in cloud.functions() if "Environment" in function]
    assert {variables["MAX_MAILS_PER_SECOND"] for variables in settings if "MAX_MAILS_PER_SECOND" in variables} == {"50"}
    assert 320 in {function["MemorySize"] for function in cloud.functions()}

    stacks.delete_stack(StackName=STACK)
    assert cloud.settled() == "GONE"
    tables = cloud.client("dynamodb").list_tables()["TableNames"]
    assert {name.removeprefix(f"{STACK}-").partition("Table")[0] for name in tables} == RETAINED
    assert (cloud.client("sqs").list_queues().get("QueueUrls", []), cloud.functions()) == ([], [])
