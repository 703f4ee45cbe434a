"""Unpacks the app that is named first into the directory that is named second, and says as JSON how it is packed."""

import json
import os
import sys
import tarfile
import zipfile

app, into = sys.argv[1:]
with zipfile.ZipFile(app) as archive:
    assert archive.testzip() is None
    archive.extractall(into)
    entries = {
        entry.filename: {"mode": oct(entry.external_attr >> 16), "deflated": entry.compress_type == zipfile.ZIP_DEFLATED}
        for entry in archive.infolist()
    }
(inner,) = [name for name in entries if name.endswith(".tar.gz")]
with tarfile.open(os.path.join(into, inner), "r:gz") as archive:
    files = {entry.name: oct(entry.mode) for entry in archive.getmembers() if entry.isfile()}
    archive.extractall(into)
print(json.dumps({"entries": entries, "files": files}))
