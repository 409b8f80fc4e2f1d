"""中通 and 17TRACK on this machine, as far as the documents ask them: the saved replies of the facts.

`python tests/docs/carrier.py PORT` comes back when it listens, and goes on listening until the document ends.
"""

from __future__ import annotations

import json
import os
import sys
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
SAMPLES = ROOT / "tests" / "carriers" / "samples"
ZTO_SECRET, TRACK17_KEY = "zto-secret-demo", "17TRACKDEMOKEY0000000000000000AA"
"""Who signs with another one is refused."""
_REGISTERED = set[str]()


def saved(name: str) -> Any:
    """A reply by its kind and name."""
    return json.loads((SAMPLES / f"{name}.json").read_text("utf-8"))


def zto(body: str, digest: str) -> Any:
    """Another's waybill is shown with a phone's last digits only, and not said to be hidden."""
    from carriers.zto import signature

    if digest != signature(body, ZTO_SECRET):
        return saved("zto/error_sign")
    return saved("zto/delivered" if "mobilePhone" in json.loads(body) else "zto/nothing_known")


def track17(method: str, body: str, key: str) -> Any:
    """A number is read once it is registered."""
    if key != TRACK17_KEY:
        return saved("track17/error_key")
    numbers = [row["number"] for row in json.loads(body)]
    if method == "register":
        _REGISTERED.update(numbers)
        return {"code": 0, "data": {"accepted": [{"number": each} for each in numbers], "rejected": []}}
    if set(numbers) <= _REGISTERED:
        return saved("track17/delivered")
    error = {"code": -18019902, "message": "The tracking number does not register, please register first."}
    return {
        "code": 0,
        "data": {"accepted": [], "rejected": [{"number": each, "error": error} for each in numbers]},
    }


class Desk(BaseHTTPRequestHandler):
    """One request, one saved reply."""

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        method = self.path.rpartition("/")[2]
        if method.startswith("zto."):
            told = zto(body, self.headers["x-dataDigest"])
        else:
            told = track17(method, body, self.headers["17token"])
        content = json.dumps(told).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        """Nothing."""


if __name__ == "__main__":
    sys.path.insert(0, str(ROOT))
    desk = HTTPServer(("127.0.0.1", int(sys.argv[1])), Desk)
    if os.fork() == 0:
        desk.serve_forever()
