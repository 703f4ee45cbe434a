#!/usr/bin/env python3
"""Checks every recorded request of the nine functions against Microsoft's published paths and types.

The requests are those of the golden records (tests/golden). The reference is Microsoft's Python client, which is
generated from the service's metadata: its paths, methods, query options, properties and types of bodies.
"""

import sys

import published
from recorded import requests

def main():
    seen, faults = 0, []
    for request in requests():
        seen += 1
        try:
            published.check(request)
        except published.Unknown as fault:
            faults.append(f"{request.place}: {request.method} /{'/'.join(request.segments)}: {fault}")
    for fault in faults[:40]:
        print(fault)
    print(f"{seen - len(faults)} requests as Microsoft publishes them, {len(faults)} not")
    return 1 if faults or seen < 500 else 0


if __name__ == "__main__":
    sys.exit(main())
