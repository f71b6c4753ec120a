"""In Grafana's place: answers /api/health, once it has what Grafana would need.

No package registry has Grafana. What the compose file gives it is seen to be there: the admin
password, provisioning and dashboards to read, and its data folder to write.
"""

from __future__ import annotations

import os
import signal
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import FrameType

NEEDED = (
    Path(os.environ["GF_SECURITY_ADMIN_PASSWORD__FILE"]),
    Path("/run/secrets/wattoken/clickhouse_password"),
    Path(os.environ["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"]),
    Path("/etc/grafana/provisioning/datasources/prometheus.yml"),
)


class Health(BaseHTTPRequestHandler):
    """Answers /api/health, and nothing else."""

    def do_GET(self) -> None:
        """Answer 200 or 404."""
        found = self.path == "/api/health"
        self.send_response(200 if found else 404)
        self.end_headers()
        if found:
            self.wfile.write(b'{"database": "ok", "version": "stand-in"}\n')

    do_HEAD = do_GET


def stop(signum: int, frame: FrameType | None) -> None:
    """End as asked."""
    sys.exit(0)


def main() -> None:
    """Serve until SIGTERM."""
    for path in NEEDED:
        if not path.read_bytes():
            sys.exit(f"{path} is empty")
    Path("/var/lib/grafana/grafana.db").touch()
    signal.signal(signal.SIGTERM, stop)
    ThreadingHTTPServer(("0.0.0.0", 3000), Health).serve_forever()


if __name__ == "__main__":
    main()
