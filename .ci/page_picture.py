#!/usr/bin/env python3
"""Takes a picture of the status page: page_picture.py URL WIDTH HEIGHT FILE.

Chromium takes a picture of its own as soon as the files are loaded. This asks it over WebDriver, with nothing but the
standard library, and waits until the page is live and has read everything.
"""

import base64
import json
import pathlib
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request

TIMEOUT_S = 30
ARGUMENTS = ["--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--no-first-run", "--disable-sync",
             "--disable-background-networking", "--disable-component-update", "--force-device-scale-factor=1"]
IS_READY = """return document.getElementById("connection").textContent.includes("live")
    && !document.getElementById("main").textContent.includes("Reading …")"""


def ask(base, path, body=None):
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(base + path, data, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=TIMEOUT_S) as response:
        return json.load(response)["value"]


def until(condition):
    began = time.monotonic()
    while time.monotonic() - began < TIMEOUT_S:
        try:
            if outcome := condition():
                return outcome
        except OSError:
            pass
        time.sleep(0.1)
    raise SystemExit("the page is not ready")


def main():
    url, width, height, file = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), pathlib.Path(sys.argv[4])
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    driver = subprocess.Popen(["chromedriver", f"--port={port}"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        try:
            base = f"http://127.0.0.1:{port}"
            until(lambda: ask(base, "/status")["ready"])
            options = {"args": [*ARGUMENTS, f"--user-data-dir={profile}", f"--window-size={width},{height}"]}
            session = ask(base, "/session", {"capabilities": {"alwaysMatch": {"goog:chromeOptions": options}}})["sessionId"]
            base += f"/session/{session}"
            metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
            ask(base, "/goog/cdp/execute", {"cmd": "Emulation.setDeviceMetricsOverride", "params": metrics})
            ask(base, "/url", {"url": url})
            until(lambda: ask(base, "/execute/sync", {"script": IS_READY, "args": []}))
            time.sleep(0.5)
            file.write_bytes(base64.b64decode(ask(base, "/screenshot")))
            urllib.request.urlopen(urllib.request.Request(base, method="DELETE"), timeout=TIMEOUT_S)
        finally:
            driver.terminate()
            driver.wait()


if __name__ == "__main__":
    main()
