"""The processes of the proof: the registry and netsieve, each ended by its process id."""

import json
import os
import subprocess
import time
import urllib.error
import urllib.request
from pathlib import Path

START_SECONDS = 60
POLL_SECONDS = 0.1


def wait_for(what, look, seconds=START_SECONDS):
    """What `look` gives once it gives something; an error when that takes too long."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        found = look()
        if found:
            return found
        time.sleep(POLL_SECONDS)
    raise SystemExit(f"registry: {what} did not come within {seconds} s")


def get(url):
    """Status and text of a page; nothing where nobody answers."""
    try:
        with urllib.request.urlopen(url, timeout=5) as page:
            return page.status, page.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()
    except OSError:
        return None


class Process:
    """A process with a log, ended when the block is left."""

    def __init__(self, arguments, log):
        self.log = Path(log)
        with open(log, "wb") as output:
            self.process = subprocess.Popen(
                arguments, stdin=subprocess.DEVNULL, stdout=output, stderr=output
            )

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        self.end()
        if kind:
            print(f"--- {self.log.name}\n{self.log.read_text(errors='replace')[-4000:]}")

    def end(self):
        """Ends it, gently first."""
        self.process.terminate()
        try:
            return self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            return self.process.wait()


class Registry(Process):
    """Apicurio, in memory."""

    def __init__(self, port, folder):
        home = Path(os.environ["REGISTRY_HOME"])
        runner = next(home.glob("*-runner.jar"))
        self.base = f"http://127.0.0.1:{port}/apis/ccompat/v7"
        options = ["-Xmx256m", "-Dquarkus.http.host=127.0.0.1", f"-Dquarkus.http.port={port}"]
        super().__init__(["java", *options, "-jar", runner], folder / "registry.log")

    def wait(self):
        wait_for("the registry", lambda: (get(f"{self.base}/subjects") or [0])[0] == 200)


class Netsieve(Process):
    """A processor with a configuration of its own."""

    def __init__(self, name, config, port, folder):
        file = folder / f"{name}.toml"
        file.write_text(config)
        self.address = f"http://127.0.0.1:{port}"
        listen = f"http.listen=127.0.0.1:{port}"
        arguments = [os.environ["NETSIEVE_BINARY"], "run", "--config", file, "--set", listen]
        super().__init__(arguments, folder / f"{name}.log")

    def not_ready_because(self, text):
        """Waits until it says that it is not ready, and why."""
        def look():
            status, page = get(f"{self.address}/readyz") or (0, "")
            return status == 503 and text in page and page
        return wait_for(f"{text!r} at /readyz", look)

    def wait(self):
        wait_for("netsieve", lambda: (get(f"{self.address}/readyz") or [0])[0] == 200)

    def status(self):
        return json.loads(get(f"{self.address}/status")[1])
