"""A fiftythree for a test suite: it runs once, on free ports and without writing a file, and each test starts clean."""

import os
import re
import subprocess

import boto3
import pytest


@pytest.fixture(scope="session")
def fiftythree(tmp_path_factory):
    """The addresses of the DNS port and of the admin side."""
    directory = tmp_path_factory.mktemp("fiftythree")
    (directory / "zones").mkdir()  # zone files that every test starts with
    (directory / "fiftythree.toml").write_text(
        '[dns]\nlisten = ["127.0.0.1:0"]\n[zones]\ndirectory = "zones"\n'
        '[admin]\nlisten = "127.0.0.1:0"\n[api]\nlisten = ["127.0.0.1:0"]\n'
    )
    os.environ["FIFTYTHREE_CONFIG"] = str(directory / "fiftythree.toml")
    server = subprocess.Popen(["fiftythree", "serve", "--in-memory"], stdout=subprocess.PIPE, text=True)
    printed = ""
    while "serving" not in printed:
        line = server.stdout.readline()
        assert line, "the server ended"
        printed += line
    # AWS_ENDPOINT_URL_ROUTE_53 and so on, for this process and those that it starts.
    os.environ.update(re.findall(r"(AWS_\w+)=(\S+)", printed))
    dns = re.search(r"listening on (\S+),", printed)[1]
    admin = re.search(r"status page: http://(\S+)/", printed)[1]
    yield dns, admin
    server.terminate()
    server.wait()


@pytest.fixture
def route53(fiftythree):
    """A client; what earlier tests made is gone."""
    subprocess.run(["fiftythree", "reset", "--admin", fiftythree[1]], check=True)
    return boto3.client("route53")


@pytest.fixture
def dig(fiftythree):
    host, port = fiftythree[0].split(":")
    return lambda *query: subprocess.check_output(["dig", f"@{host}", "-p", port, "+short", *query], text=True).split()
