"""What PyPI `eventsourcing` commits in process: the yardstick of `benches/load`.

Threads save new aggregates, one event each, for a given time, on SQLite (a file, WAL, synchronous FULL) or on the
PostgreSQL of DEFENDABLE_TEST_POSTGRES_URL (fsync on). Run by `benches/baseline`, which installs the package; prints
one JSON object.
"""

import argparse
import json
import os
import sqlite3
import tempfile
import threading
import time
from pathlib import Path
from urllib.parse import urlsplit

from eventsourcing.application import Application
from eventsourcing.domain import Aggregate


def sqlite_environment(folder: Path) -> dict[str, str]:
    # The package sets WAL and leaves `synchronous` to SQLite, so what SQLite was built with decides.
    synchronous = sqlite3.connect(folder / "probe.db").execute("PRAGMA synchronous").fetchone()[0]
    if synchronous != 2:
        raise SystemExit(f"this SQLite defaults to synchronous = {synchronous}, not FULL: no fair comparison")
    return {"PERSISTENCE_MODULE": "eventsourcing.sqlite", "SQLITE_DBNAME": str(folder / "events.db")}


def postgres_environment(threads: int) -> dict[str, str]:
    url = urlsplit(os.environ["DEFENDABLE_TEST_POSTGRES_URL"])
    return {
        "PERSISTENCE_MODULE": "eventsourcing.postgres",
        "POSTGRES_DBNAME": url.path.lstrip("/"),
        "POSTGRES_HOST": url.hostname or "127.0.0.1",
        "POSTGRES_PORT": str(url.port or 5432),
        "POSTGRES_USER": url.username or "postgres",
        "POSTGRES_PASSWORD": url.password or "none",
        # A connection for each thread: waiting for one would not be the store's slowness.
        "POSTGRES_POOL_SIZE": str(threads),
    }


def measure(environment: dict[str, str], threads: int, seconds: float) -> dict[str, float]:
    application = Application(env=environment)
    application.save(Aggregate())
    times: list[list[float]] = [[] for _ in range(threads)]
    ready = threading.Barrier(threads + 1)
    end = 0.0

    def work(mine: list[float]) -> None:
        ready.wait()
        before = time.perf_counter()
        while before < end:
            application.save(Aggregate())
            after = time.perf_counter()
            mine.append(after - before)
            before = after

    workers = [threading.Thread(target=work, args=(mine,)) for mine in times]
    for worker in workers:
        worker.start()
    start = time.perf_counter()
    end = start + seconds
    ready.wait()
    for worker in workers:
        worker.join()
    took = time.perf_counter() - start
    application.close()
    taken = sorted(each for mine in times for each in mine)
    return {
        "threads": threads,
        "seconds": round(took, 2),
        "commits": len(taken),
        "per_second": round(len(taken) / took),
        "p50_ms": round(taken[len(taken) // 2] * 1000, 2),
        "p99_ms": round(taken[len(taken) * 99 // 100] * 1000, 2),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--store", choices=["embedded", "postgres"], required=True)
    parser.add_argument("--threads", type=int, default=16)
    parser.add_argument("--seconds", type=float, default=10)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        if options.store == "embedded":
            environment = sqlite_environment(Path(folder))
        else:
            environment = postgres_environment(options.threads)
        print(json.dumps({"store": options.store} | measure(environment, options.threads, options.seconds)))


if __name__ == "__main__":
    main()
