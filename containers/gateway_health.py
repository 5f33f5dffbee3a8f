"""The gateway's container is healthy while ``/health`` answers 200.

That document also tells of a dependency that is down; then it is still 200, since a restart
wouldn't cure it. A script of the standard library alone, so that it starts in milliseconds.
Exits with status 0 or 1.
"""

import http.client
import os
import sys

_TIMEOUT_S = 4.0


def main() -> int:
    """Ask once; return the exit status."""
    port = int(os.environ.get("PORT") or 8000)
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=_TIMEOUT_S)
    try:
        connection.request("GET", "/health")
        status = connection.getresponse().status
    except OSError as error:
        sys.stderr.write(f"no answer: {error}\n")
        return 1
    finally:
        connection.close()
    if status != 200:
        sys.stderr.write(f"/health answers {status}\n")
    return 0 if status == 200 else 1


if __name__ == "__main__":
    sys.exit(main())
