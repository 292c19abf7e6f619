"""Holds the running service against its own OpenAPI document, with schemathesis.

Starts the stand-in for market data and the service, with a test issuer's key,
and sends what the document allows and what it does not. Nothing leaves loopback.
"""

import argparse
import json
import pathlib
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request

import jwt
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

ISSUER, AUDIENCE = "https://contract-test.example", "calculation-core"
HERE = pathlib.Path(__file__).resolve().parent


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def settings(folder, key, ports):
    jwk = json.loads(jwt.algorithms.OKPAlgorithm.to_jwk(key.public_key()))
    (folder / "jwks.json").write_text(json.dumps({"keys": [jwk | {"kid": "contract", "use": "sig"}]}))
    market = f"http://127.0.0.1:{ports['market']}"
    provider = lambda name: {"provider": name, "url": f"{market}/{name}"}
    return {
        "listen": f"127.0.0.1:{ports['api']}",
        "probes": f"127.0.0.1:{ports['probes']}",
        "auth": {"issuers": [{"issuer": ISSUER, "audience": AUDIENCE, "jwksFile": str(folder / "jwks.json")}]},
        "limits": {"default": {"requestsPerMinute": 10_000_000, "miners": 100_000, "concurrent": 64}},
        "marketData": {
            "prices": [provider(name) for name in ("coinbase", "kraken", "bitstamp")],
            "networks": [provider(name) for name in ("mempool", "esplora")],
        },
        "records": {"directory": str(folder / "records")},
        "drain": {"delaySeconds": 0, "seconds": 5},
        "logs": {"json": False, "filter": "error"},
    }


def token(key):
    now = int(time.time())
    claims = {"iss": ISSUER, "aud": AUDIENCE, "exp": now + 7200, "tenant": "contract", "roles": ["Owner"]}
    return jwt.encode(claims, key, algorithm="EdDSA", headers={"kid": "contract"})


def ready(address, process):
    for _ in range(100):
        if process.poll() is not None:
            raise SystemExit("the service ended at its start; its last words are above")
        try:
            urllib.request.urlopen(address, timeout=1).read()
            return
        except OSError:
            time.sleep(0.05)
    raise SystemExit(f"{address} was not ready in five seconds")


def send_batch(api, bearer):
    """A batch that is there, so that the routes that fetch one find it."""
    body = {"site": {"usd_per_kwh": "0.06"}, "machines": [{"terahash_per_second": "200", "watts": "3500"}, {"watts": 0}]}
    headers = {"Authorization": f"Bearer {bearer}", "Content-Type": "application/json", "Idempotency-Key": "contract"}
    request = urllib.request.Request(f"{api}/v1/batches", json.dumps(body).encode(), headers)
    urllib.request.urlopen(request, timeout=10).read()


def main():
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--core", required=True)
    arguments.add_argument("--stand-in", required=True)
    arguments.add_argument("--examples", type=int, default=100, help="for each operation")
    arguments.add_argument("--seed", type=int, default=1)
    given = arguments.parse_args()
    ports = {name: free_port() for name in ("api", "probes", "market")}
    key = Ed25519PrivateKey.generate()
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        file = folder / "core.yaml"
        file.write_text(json.dumps(settings(folder, key, ports)))
        market = subprocess.Popen([given.stand_in, "--listen", f"127.0.0.1:{ports['market']}"])
        core = subprocess.Popen([given.core, "--config", str(file)])
        try:
            ready(f"http://127.0.0.1:{ports['probes']}/readyz", core)
            api = f"http://127.0.0.1:{ports['api']}"
            metrics = urllib.request.urlopen(f"http://127.0.0.1:{ports['probes']}/metrics", timeout=5).read().decode()
            if 'features="none"' not in metrics:
                raise SystemExit("this build has a bad version's feature; a product has none")
            send_batch(api, token(key))
            config = (HERE / "schemathesis.toml").read_text()
            (folder / "schemathesis.toml").write_text(config + f'\n[auth.openapi.token]\nbearer = "{token(key)}"\n')
            command = [sys.executable, "-m", "schemathesis.cli", "--config-file", str(folder / "schemathesis.toml"), "run"]
            command += [f"{api}/v1/openapi.json", "--url", api, "--seed", str(given.seed)]
            command += ["--max-examples", str(given.examples), "--generation-database", "none", "--suppress-health-check", "all"]
            code = subprocess.run(command, cwd=folder).returncode
            if core.poll() is not None:
                raise SystemExit("the service ended while it was asked")
        finally:
            for process in (core, market):
                process.terminate()
                process.wait(timeout=15)
    raise SystemExit(code)


if __name__ == "__main__":
    main()
