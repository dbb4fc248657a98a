"""Restock, with N who wait for one product: the real functions, optimised, over the local stack's tables, queues and SES.

    python3 restock_shop.py N    prints one line of JSON
"""

import json
import os
import signal
import subprocess
import sys
import threading
import time
import urllib.request
from pathlib import Path

ROOT = Path(__file__).parents[2]
# `cargo local seed` finds the stack by its port, which five others follow on.
PORT = 9700
FEED = "id,title,link,price\nSKU-1,Wool sweater,https://shop.example/sweater,49.00 GBP\n"


class Stack:
    def __init__(self, people):
        command = ["cargo", "local", "--release", "--port", str(PORT), "--json"]
        self.process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, start_new_session=True)
        try:
            self.fill(people)
        except BaseException:
            self.stop()
            raise

    def fill(self, people):
        self.ready = json.loads(self.process.stdout.readline())
        self.call("PUT", "/feeds/en-GB", "{}")
        self.call("POST", "/feeds/en-GB/imports", FEED, "text/csv")
        while self.call("GET", "/feeds/en-GB")["lastImport"]["status"] != "succeeded":
            time.sleep(0.2)
        seed = ["cargo", "local", "--port", str(PORT), "seed", "--subscriptions", str(people), "--sku", "SKU-1"]
        subprocess.run(seed, cwd=ROOT, check=True, stdout=subprocess.DEVNULL)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()

    def stop(self):
        os.killpg(self.process.pid, signal.SIGINT)
        self.process.wait()

    def call(self, method, path, body=None, content_type="application/json"):
        headers = {"apikey": self.ready["apiKey"], "content-type": content_type}
        url = f"{self.ready['api']}/api/v3{path}"
        request = urllib.request.Request(url, body and body.encode(), headers, method=method)
        with urllib.request.urlopen(request) as answer:
            return json.loads(answer.read() or "null")

    def restock(self, quantity):
        """Tells a stock level, and returns how long the call took."""
        begin = time.perf_counter()
        self.call("PUT", "/inventory/stock-levels", json.dumps({"sku": "SKU-1", "quantity": quantity}))
        return time.perf_counter() - begin

    def accepted(self):
        entries = self.call("GET", "/inventory/backinstock/log?sku=SKU-1")["entries"]
        return sum(entry["mails"].get("accepted", 0) for entry in entries)

    def mailed(self):
        """Waits until no mail has left for ten seconds; returns who was mailed, and when the last of them was."""
        seen, since = 0, time.perf_counter()
        while time.perf_counter() - since < 10:
            time.sleep(0.1)
            if (accepted := self.accepted()) > seen:
                seen, since = accepted, time.perf_counter()
        with urllib.request.urlopen(f"{self.ready['inbox']}/messages") as answer:
            return [mail["to"][0] for mail in json.load(answer)], since

    def memory(self):
        """Returns the most memory that each of the functions had, added up, in MiB; the stack itself plays AWS."""
        most = 0
        for process in Path("/proc").glob("[0-9]*"):
            try:
                status = dict(line.split(":", 1) for line in (process / "status").read_text().splitlines())
                if status["PPid"].strip() == str(self.stack_id()):
                    most += int(status["VmHWM"].split()[0]) // 1024
            except (OSError, KeyError):
                continue
        return most

    def stack_id(self):
        """Returns the process of the stack, which cargo has become or has begun."""
        begun = subprocess.run(["pgrep", "-P", str(self.process.pid)], capture_output=True, text=True).stdout.split()
        name = Path(f"/proc/{self.process.pid}/comm").read_text().strip()
        return self.process.pid if name.startswith("restock") else int(begun[0])


def measure(people):
    with Stack(people) as stack:
        begin = time.perf_counter()
        call = stack.restock(5)
        one, last = stack.mailed()
        memory = stack.memory()
    with Stack(people) as stack:
        calls = [threading.Thread(target=stack.restock, args=[quantity]) for quantity in [5, 7]]
        [each.start() for each in calls]
        [each.join() for each in calls]
        two, _ = stack.mailed()
    return {
        "call": call,
        "mails": len(one),
        "mailsPerSecond": len(one) / (last - begin),
        "memory": memory,
        "mailsOfTwoCalls": len(two),
        "peopleOfTwoCalls": len(set(two)),
    }


if __name__ == "__main__":
    print(json.dumps(measure(int(sys.argv[1]))))
