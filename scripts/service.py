"""The service as the scripts drive it: started on a fresh store, killed, restarted, called.

Python's standard library only. Everything listens on 127.0.0.1.
"""

import http.client
import itertools
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

ROOT = Path(__file__).resolve().parent.parent
POSTGRES = "DEFENDABLE_TEST_POSTGRES_URL"
SHEET = "cre_memo_dscr_ltv_v1"


def beside_postgres(store: str) -> None:
    """Runs this program again beside a PostgreSQL of its own, if the store needs one and none is named."""
    if store == "postgres" and POSTGRES not in os.environ:
        helper = str(ROOT / "scripts/with-postgres")
        os.execv(helper, [helper, sys.executable, *sys.argv])


def release_binary() -> Path:
    """The optimised binary, for figures."""
    return _binary("release", "--release")


def debug_binary() -> Path:
    """The binary that the tests run, for everything else."""
    return _binary("debug")


def _binary(profile: str, *options: str) -> Path:
    """The binary, built if it is not current; DEFENDABLE_BINARY names another."""
    if given := os.environ.get("DEFENDABLE_BINARY"):
        return Path(given).resolve()
    subprocess.run(["cargo", "build", "--locked", "--quiet", "--bin", "defendable", *options], cwd=ROOT, check=True)
    return Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")) / profile / "defendable"


class Failed(Exception):
    """An answer that was not the one asked for."""


class Service:
    """One service on a store of its own, with rate limits off. A context manager: it leaves nothing behind."""

    _numbers = itertools.count()

    def __init__(self, store: str, binary: Path) -> None:
        self.binary = binary
        self.folder = Path(tempfile.mkdtemp(prefix="defendable-"))
        self.store_arguments = ["--data", str(self.folder / "data")]
        if store == "postgres":
            self.store_arguments += ["--database-url", self._fresh_database()]
        self.settings = {"DEFENDABLE_RATE_LIMIT": "0"}
        self.process: subprocess.Popen | None = None
        self.host = self.port = None

    @classmethod
    def _fresh_database(cls) -> str:
        owner = os.environ[POSTGRES]
        name = f"bench_{os.getpid()}_{next(cls._numbers)}"
        subprocess.run(["psql", owner, "-qc", f"CREATE DATABASE {name}"], check=True)
        return urlsplit(owner)._replace(path=name).geturl()

    def __enter__(self) -> "Service":
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self.process and self.process.poll() is None:
            self.kill()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _environment(self) -> dict[str, str]:
        return {"PATH": os.environ["PATH"], "HOME": str(self.folder)} | self.settings

    def start(self, patience: float = 60) -> float:
        """Starts the process; the answer is how many seconds it took to be ready."""
        began = time.monotonic()
        out, log = self.folder / "service.out", self.folder / "service.log"
        with out.open("w") as stdout, log.open("a") as stderr:
            command = [str(self.binary), "serve", "--listen", "127.0.0.1:0", *self.store_arguments]
            self.process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=stdout, stderr=stderr, env=self._environment(), cwd=self.folder
            )
        while time.monotonic() - began < patience:
            if self.process.poll() is not None:
                break
            if self._is_ready(out.read_text()):
                return time.monotonic() - began
            time.sleep(0.005)
        raise Failed(f"the service did not start:\n{out.read_text()}\n{log.read_text()[-4000:]}")

    def _is_ready(self, printed: str) -> bool:
        whole = printed[: printed.rfind("\n") + 1]
        urls = [line.split("Listening on ", 1)[1].split()[0] for line in whole.splitlines() if "Listening on " in line]
        if not urls:
            return False
        url = urlsplit(urls[0])
        self.host, self.port = url.hostname, url.port
        try:
            return Caller(self).ask("GET", "/readyz")[0] == 200
        except OSError:
            return False

    @property
    def url(self) -> str:
        return f"http://{self.host}:{self.port}"

    def kill(self) -> None:
        """kill -9."""
        self.process.kill()
        self.process.wait()

    def stop(self, patience: float = 60) -> float:
        """Asks the process to end; the answer is how many seconds it took."""
        began = time.monotonic()
        self.process.send_signal(signal.SIGTERM)
        if self.process.wait(patience) != 0:
            raise Failed(f"the service ended with {self.process.returncode}")
        return time.monotonic() - began

    def run(self, *command: str) -> subprocess.CompletedProcess:
        """Runs another command of the binary on this store, such as `projections rebuild`."""
        arguments = [str(self.binary), *command, *self.store_arguments]
        return subprocess.run(
            arguments, env=self._environment(), cwd=self.folder, stdin=subprocess.DEVNULL, capture_output=True, text=True
        )

    def sign_in(self, email: str = "load@example.org") -> str:
        """Signs in by the development link; the answer is the token."""
        caller = Caller(self)
        link = caller.get("POST", "/auth/request", {"email": email})["dev_link"]
        [token] = parse_qs(urlsplit(link).query)["token"]
        return caller.get("POST", "/auth/verify", {"token": token})["access_token"]


class Caller:
    """A connection that is kept open. Not to be shared between threads."""

    def __init__(self, service: Service, token: str | None = None) -> None:
        self.connection = http.client.HTTPConnection(service.host, service.port, timeout=30)
        self.headers = {"Authorization": f"Bearer {token}"} if token else {}

    def ask(self, method: str, path: str, body: object = None) -> tuple[int, bytes]:
        """Sends a request; the answer is the status and the body."""
        headers = dict(self.headers)
        if body is not None:
            headers["Content-Type"] = "application/json"
        self.connection.request(method, path, None if body is None else json.dumps(body), headers)
        response = self.connection.getresponse()
        return response.status, response.read()

    def get(self, method: str, path: str, body: object = None) -> dict:
        """Sends a request that must succeed; the answer is its JSON."""
        status, answer = self.ask(method, path, body)
        if not 200 <= status < 300:
            raise Failed(f"{method} {path}: {status} {answer[:500]!r}")
        return json.loads(answer)


def create_runs(service: Service, token: str, count: int) -> list[str]:
    """Creates runs in a project of their own; the answer is their ids."""
    caller = Caller(service, token)
    project = caller.get("POST", "/projects", {"name": "Load"})["id"]
    body = {"project_id": project, "flight_sheet_id": SHEET, "title": "Under load"}
    return [caller.get("POST", "/runs", body)["id"] for _ in range(count)]
