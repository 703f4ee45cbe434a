"""A small SOAR REST interface: signing in, notes and attachments of incidents and tasks."""
import email.parser
import email.policy
import time

from mock_http import Answer, Mock

ORGANISATION = {"id": 201, "name": "Golden", "enabled": True, "uuid": "org", "cloud_account": None}
INCIDENT_MISSING = Answer.of(
    {"success": False, "title": None, "message": "Unable to find object with ID.", "hints": [], "error_code": "generic"}, 404
)


def form(request):
    """The file of a multipart form: name, media type, bytes. Its content is not interpreted."""
    boundary = request.headers["content-type"].partition("boundary=")[2].strip('"').encode()
    for part in request.body.split(b"--" + boundary)[1:-1]:
        head, _, content = part.removeprefix(b"\r\n").partition(b"\r\n\r\n")
        headers = email.parser.Parser(policy=email.policy.HTTP).parsestr(head.decode(), headersonly=True)
        if headers["content-disposition"].params.get("name") == "file":
            return headers.get_filename(), headers.get_content_type(), content.removesuffix(b"\r\n")
    return None


class Soar(Mock):
    """`files`: the incident's attachments, as name, bytes and time; `notes`: the texts of its notes."""

    def __init__(self, rules, files=(), notes=()):
        super().__init__(rules)
        self.files = [self.file(number, *file) for number, file in enumerate(files, 1)]
        self.notes = list(notes)

    @staticmethod
    def file(number, name, content, created=1709280000000):
        return {"id": number, "name": name, "content_type": "text/plain", "size": len(content), "created": created, "bytes": content}

    def default(self, request):
        segments = request.path.split("/")[2:]
        if segments[0] == "session":
            return Answer.of({"orgs": [ORGANISATION], "api_key_handle": 17, "session_ip": "127.0.0.1"})
        if segments[0] == "const":
            return Answer.of({"server_version": {"version": "51.0.0"}})
        if segments == ["orgs", "201"]:
            return Answer.of({"actions_framework_enabled": True})
        if segments[2] == "functions":
            return Answer.of({"destination_handle": "fn_exchange_online"})
        if segments[2] == "workflow_instances":
            return Answer.of({"workflow_instance_id": int(segments[3]), "status": "running"})
        if segments[2] in ("incidents", "tasks") and segments[3] not in ("404",):
            return self.of_incident(request, segments[4:])
        return INCIDENT_MISSING

    def of_incident(self, request, rest):
        what = f"{request.method} {rest[0]}"
        if what == "GET comments":
            return Answer.of([{"id": number, "text": text} for number, text in enumerate(self.notes, 1)])
        if what == "POST comments":
            self.notes.append(request.json["text"]["content"])
            return Answer.of({"id": len(self.notes), "text": self.notes[-1]})
        if what == "GET attachments" and len(rest) == 1:
            return Answer.of([self.shown(file) for file in self.files])
        if what == "GET attachments":
            file = next(file for file in self.files if str(file["id"]) == rest[1])
            return Answer(200, {"Content-Type": "application/octet-stream"}, file["bytes"])
        if what == "POST attachments":
            name, _, content = form(request)
            self.files.append(self.file(len(self.files) + 1, name, content, int(time.time() * 1000)))
            return Answer.of(self.shown(self.files[-1]))
        return INCIDENT_MISSING

    @staticmethod
    def shown(file):
        return {key: value for key, value in file.items() if key != "bytes"}
