"""What the clients share: queries by dig, and record sets of every routing policy with the answers they give.

The test that starts a script has set the variables of the AWS CLI and SDKs, and FIFTYTHREE_DNS, the address of the DNS port.
"""

import json
import os
import pathlib
import subprocess
import time

HERE = pathlib.Path(__file__).parent
HOST, PORT = os.environ["FIFTYTHREE_DNS"].rsplit(":", 1)
# Far longer than any step takes: only a bug or a very busy machine makes a test wait this long.
PATIENCE_S = 60


def dig(name, record_type, subnet="", source=""):
    """The values of an answer, sorted and separated by spaces."""
    command = ["dig", f"@{HOST}", "-p", PORT, "+short", "+time=5", "+tries=3", *([f"+subnet={subnet}"] if subnet else []),
               *(["-b", source] if source else []), name, record_type]
    return " ".join(sorted(subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()))


def code(name, record_type):
    """The response code of an answer."""
    command = ["dig", f"@{HOST}", "-p", PORT, "+time=5", "+tries=3", name, record_type]
    output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return output.split("status: ")[1].split(",")[0]


def wait_for(what, expected, get):
    """Waits for what takes time, such as results of health checks."""
    deadline = time.monotonic() + PATIENCE_S
    while (found := get()) != expected:
        assert time.monotonic() < deadline, f"{what}: {found!r}, not {expected!r}"
        time.sleep(0.1)


def policies(zone, zone_id, check, collection):
    """Record sets of every routing policy, as (policy, record sets, [(name, type, subnet, answer)])."""
    text = (HERE / "policies.json").read_text()
    for variable, value in (("$ZONE_ID", zone_id), ("$ZONE", zone), ("$CHECK", check), ("$COLLECTION", collection)):
        text = text.replace(variable, value)
    return [(row["policy"], row["sets"], row["answers"]) for row in json.loads(text)]


def batch(action, sets):
    """A ChangeBatch."""
    return {"Changes": [{"Action": action, "ResourceRecordSet": record_set} for record_set in sets]}
