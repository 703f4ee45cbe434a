"""Works on an incident of the sandbox's SOAR with SOAR's own client. Usage: client.py APP_CONFIG TABLE STOMP_PORT"""

import sys

import resilient
import stomp

config, table, port = sys.argv[1:]
options = resilient.ArgumentParser(config_file=config).parse_known_args([])[0]
client = resilient.get_client(options)
version = client.get_const()["server_version"]
assert (version["v"], version["major"]) == (51, 0), version

# Incidents.
incident = client.post(
    "/incidents", {"name": "From a client", "discovered_date": 1795392000000, "severity_code": "High"}
)
own = f"/incidents/{incident['id']}"
patch = resilient.Patch(client.get(f"{own}?handle_format=names"))
patch.add_value("severity_code", "Low")
assert client.patch(own, patch).json()["success"]
# The patch still holds the value of the first reading.
client.patch(own, patch, overwrite_conflict=True)
changed = client.get_put(own, lambda it: it.update(description="new"))
assert (changed["severity_code"], changed["description"]) == (4, "new"), changed
query = {"filters": [{"conditions": [{"field_name": "name", "method": "contains", "value": "client"}]}]}
page = client.post("/incidents/query_paged?return_level=full", query)
assert [one["id"] for one in page["data"]] == [incident["id"]], page

# Notes, artifacts, tasks.
note = client.post(f"{own}/comments", {"text": {"format": "html", "content": "<b>seen</b>"}})
assert note["user_name"] == "Exchange Online" and "<b>seen</b>" in note["text"], note
artifact = client.post(f"{own}/artifacts", {"type": "Email Sender", "value": "a@b.example"})
assert client.get(f"{own}/artifacts")[0]["id"] == artifact[0]["id"], artifact
task = client.post(f"{own}/tasks", {"name": "Ask"})
client.put(f"/tasks/{task['id']}", {**task, "status": "C"})
assert client.get(f"/tasks/{task['id']}")["status"] == "C"

# Attachments.
attachment = client.post_attachment(f"{own}/attachments", __file__, filename="client.txt")
contents = client.get_content(f"{own}/attachments/{attachment['id']}/contents")
assert contents == open(__file__, "rb").read(), attachment
found = client.search({"query": "client.txt", "types": ["attachment"]})["results"]
assert [one["obj_id"] for one in found] == [attachment["id"]], found

# Rows.
rows = f"{own}/table_data/{table}"
cells = {"exo_dt_message_subject": {"value": "Hello"}}
row = client.post(f"{rows}/row_data?handle_format=names", {"cells": cells})
cells["exo_dt_message_subject"]["value"] = "Hello again"
client.put(f"{rows}/row_data/{row['id']}?handle_format=names", {"cells": cells})
listed = client.get(f"{rows}?handle_format=names")["rows"]
assert [one["cells"]["exo_dt_message_subject"]["value"] for one in listed] == ["Hello again"], listed
client.delete(f"{rows}/row_data/{row['id']}")
assert client.get(rows)["rows"] == []

# Export, and import of the export.
options_of_export = {"layouts": True, "actions": True, "phases_and_tasks": True, "playbooks": True}
export = client.post("/configurations/exports/", options_of_export)
before = client.get("/functions")["entities"]
imported = client.post("/configurations/imports", export)
imported["status"] = "ACCEPTED"
assert client.put(f"/configurations/imports/{imported['id']}", imported)["status"] == "ACCEPTED"
assert client.get("/functions")["entities"] == before and len(before) >= 9

# The broker, with the frame STOMP, which stock stomp.py sends instead of CONNECT.
address = [("localhost", int(port))]
broker = stomp.Connection12(address)
broker.set_ssl(address, ca_certs=options["cafile"])
broker.connect(options["api_key_id"], options["api_key_secret"], wait=True)
broker.disconnect()
