"""The plugin of stdio-json: one JSON object a line, in and out."""

import json
import sys

out = sys.stdout
for line in sys.stdin:
    request = json.loads(line)
    role, text = request["role"], request["text"]
    if role == "tt":
        answer = {"html": "<tt>" + text + "</tt>"}
    elif role == "fail":
        answer = {"error": f"no post {request['post']['id']}"}
    else:
        for _ in range(int(text)):
            out.write('{"ask": 42}\n')
            out.flush()
            title = json.loads(sys.stdin.readline())["title"]
        answer = {"html": title}
    out.write(json.dumps(answer) + "\n")
    out.flush()
