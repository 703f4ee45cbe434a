"""A component that answers a function's calls with their inputs."""

from resilient_circuits import FunctionResult, ResilientComponent, StatusMessage, function


class Answering(ResilientComponent):
    @function("exchange_online_get_message")
    def _answer(self, event, *args, **kwargs):
        yield StatusMessage("half way")
        yield FunctionResult({"success": True, "content": kwargs})
