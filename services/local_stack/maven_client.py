"""Fetches locked jars without Maven: ``maven_client.py CLIENT_FOLDER REPOSITORY LOCK``.

A process of its own, for the client and its libraries are no part of this environment: they lie
in CLIENT_FOLDER. The jars are put into the working folder; who started it checks their sums.
"""

from __future__ import annotations

import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path

#: A few at once: most of the time goes into waiting for the first byte of each.
CONNECTIONS = 4
#: Of so many answers one may break off; pip and npm ask again by themselves.
ATTEMPTS = 3


def main(client_folder: str, repository: str, lock: str) -> int:
    """Fetch what ``lock`` lists; return the exit code, with the first failure on standard error."""
    sys.path.insert(0, client_folder)
    from maven_artifact.artifact import Artifact
    from maven_artifact.downloader import Downloader
    from maven_artifact.requestor import RequestException

    lines = [line.split() for line in Path(lock).read_text("utf-8").splitlines()]
    wanted = [fields[1] for fields in lines if fields and fields[0] != "#"]

    def fetch(coordinates: str) -> None:
        artifact = Artifact.parse(coordinates)
        name = f"{artifact.artifact_id}-{artifact.version}.{artifact.extension}"
        for attempts_left in reversed(range(ATTEMPTS)):
            try:
                Downloader(repository).download(artifact, name)
            except (RequestException, OSError):
                if not attempts_left:
                    raise
            else:
                return

    # The client tells of every jar, and would bury what went wrong.
    with redirect_stdout(StringIO()), ThreadPoolExecutor(CONNECTIONS) as pool:
        try:
            for jar in [pool.submit(fetch, coordinates) for coordinates in wanted]:
                jar.result()
        except (RequestException, OSError) as error:
            pool.shutdown(cancel_futures=True)
            print(error, file=sys.stderr)
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
