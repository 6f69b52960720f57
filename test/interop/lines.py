"""Reads a JSON object a line and answers each with one: what was compared, and what is wrong."""

import json
import sys


class Answer:
    """The answer to one question: same() compares what Frostfleet says with what a library does."""

    def __init__(self):
        self.compared, self.wrong, self.more = 0, [], {}

    def same(self, what, ours, theirs):
        self.compared += 1
        if ours != theirs:
            self.wrong.append(f"{what}: {ours}, and not {theirs}")


def steps(path):
    return [int(step) for step in path.split("/")] if path else []


def serve(**kinds):
    """Answers questions with the function of their kind. A library that raises has refused."""
    for line in sys.stdin:
        question, answer = json.loads(line), Answer()
        try:
            kinds[question["ask"]](question, answer)
        except Exception as err:  # of many types, from libraries in C and Rust
            answer.wrong.append(f"refused: {err!r}")
        print(json.dumps({"compared": answer.compared, "wrong": answer.wrong, **answer.more}), flush=True)
