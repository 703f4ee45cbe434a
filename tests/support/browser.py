"""Opens a page in headless Chromium and evaluates JavaScript in it.

Usage: python3 -c SCRIPT CHROMIUM URL WIDTH. Each line of standard input is an expression, which may be a promise; its value is
written to standard output as a line of JSON. Chromium is driven through a pipe, as
https://chromedevtools.github.io/devtools-protocol/ describes.
"""

import json
import os
import subprocess
import sys
import tempfile


class Browser:
    def __init__(self, program, directory):
        commands, self.commands = os.pipe()
        self.answers, answers = os.pipe()

        def give():
            # Chromium reads commands from descriptor 3 and writes to descriptor 4. The copies are out of the way of both.
            far = [os.dup2(one, at) for one, at in ((commands, 100), (answers, 101))]
            os.dup2(far[0], 3)
            os.dup2(far[1], 4)

        self.process = subprocess.Popen(
            [program, "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run",
             "--remote-debugging-pipe", "--user-data-dir=" + directory, "about:blank"],
            preexec_fn=give, close_fds=False, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL)
        os.close(commands)
        os.close(answers)
        self.received = b""
        self.last = 0

    def ask(self, method, session=None, **parameters):
        self.last += 1
        message = {"id": self.last, "method": method, "params": parameters}
        if session:
            message["sessionId"] = session
        os.write(self.commands, json.dumps(message).encode() + b"\0")
        while True:
            answer = self.next()
            if answer.get("id") == self.last:
                if "error" in answer:
                    sys.exit("%s: %s" % (method, answer["error"]))
                return answer["result"]

    def next(self):
        while b"\0" not in self.received:
            more = os.read(self.answers, 1 << 16)
            if not more:
                sys.exit("Chromium has ended")
            self.received += more
        message, self.received = self.received.split(b"\0", 1)
        return json.loads(message)


def main():
    program, url, width = sys.argv[1:]
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as directory:
        browser = Browser(program, directory)
        try:
            target = browser.ask("Target.createTarget", url="about:blank")["targetId"]
            session = browser.ask("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
            browser.ask("Emulation.setDeviceMetricsOverride", session, width=int(width), height=800,
                        deviceScaleFactor=1, mobile=False)
            browser.ask("Page.enable", session)
            browser.ask("Page.navigate", session, url=url)
            while browser.next().get("method") != "Page.loadEventFired":
                pass
            for line in sys.stdin:
                result = browser.ask("Runtime.evaluate", session, expression=line, awaitPromise=True,
                                     returnByValue=True)
                if "exceptionDetails" in result:
                    sys.exit(json.dumps(result["exceptionDetails"]))
                print(json.dumps(result["result"].get("value")), flush=True)
        finally:
            browser.process.kill()
            browser.process.wait()


main()
