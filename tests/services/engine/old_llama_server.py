"""A llama-server as it was early in 2025: its old options and no others, and enough of its HTTP to answer.

Writes what it was started with to `argv.json` beside it. The first line of `mode` beside it makes it fail in some way.
"""

from __future__ import annotations

import json
import os
import re
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

HERE = Path(sys.argv[0]).parent
HELP = (HERE / "help.txt").read_text()
MODE = (HERE / "mode").read_text().strip() if (HERE / "mode").exists() else ""
KEY = os.environ.get("LLAMA_API_KEY", "")
LOADED = threading.Event()
WORDS = ["old", " servers", " answer", " too"]


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: Any) -> None:
        pass

    def answer(self, status: int, body: Any) -> None:
        data = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def refused(self) -> bool:
        if self.headers.get("Authorization") != f"Bearer {KEY}":
            self.answer(401, {"error": {"code": 401, "message": "Invalid API Key", "type": "authentication_error"}})
            return True
        if not LOADED.is_set():
            self.answer(503, {"error": {"code": 503, "message": "Loading model", "type": "unavailable_error"}})
            return True
        return False

    def do_GET(self) -> None:
        if self.refused():
            return
        if self.path == "/props":
            template = "{% for m in messages %}[{{ m.role }}]{{ m.content }}{% endfor %}"
            settings = {"n_ctx": 64, "model": "old"}
            self.answer(200, {"default_generation_settings": settings, "total_slots": 1, "chat_template": template})
        else:
            self.answer(404, {"error": {"message": "File Not Found"}})

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if self.refused():
            return
        if self.path == "/tokenize":
            self.answer(200, {"tokens": [ord(sign) for sign in asked["content"]]})
        elif self.path == "/completion":
            (HERE / "asked.json").write_text(json.dumps(asked))
            self.stream(asked)

    def stream(self, asked: dict[str, Any]) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Connection", "close")
        self.end_headers()
        for place, word in enumerate(WORDS):
            if MODE == "dies" and place == 2:
                os._exit(3)
            if MODE == "breaks off" and place == 2:
                self.close_connection = True
                return
            self.event({"content": word, "stop": False, "id_slot": 0})
            if MODE == "waits" and place == 1:
                (HERE / "waiting").touch()
                while True:
                    time.sleep(0.05)
                    self.event({"content": "", "stop": False})
        timings = {"prompt_n": len(asked["prompt"]), "prompt_ms": 10.0, "predicted_n": 5, "predicted_ms": 40.0}
        self.event({"content": "", "stop": True, "stopped_eos": True, "truncated": False, "timings": timings})
        self.close_connection = True

    def event(self, body: Any) -> None:
        self.wfile.write(b"data: " + json.dumps(body).encode() + b"\n\n")
        self.wfile.flush()


def main(arguments: list[str]) -> int:
    if "--version" in arguments:
        print("version: 4589 (eb7cf15a)\nbuilt with cc (Debian 12.2.0-14) 12.2.0 for x86_64-linux-gnu", file=sys.stderr)
        return 0
    if "--help" in arguments:
        print(HELP)
        return 0
    known = set(re.findall(r"(?<![\w-])--?[a-z][\w-]*", HELP))
    for word in arguments:
        if word.startswith("-") and word not in known:
            print(f"error: invalid argument: {word}", file=sys.stderr)
            return 1
    environment = {key: value for key, value in os.environ.items() if "LLAMA" in key or "TOKEN" in key or "QTUI" in key}
    (HERE / "argv.json").write_text(json.dumps({"arguments": arguments, "environment": environment}))
    if MODE == "unknown architecture":
        print("llama_model_load: error loading model: unknown model architecture: 'new\033[31m'", file=sys.stderr)
        return 1
    port = int(arguments[arguments.index("--port") + 1])
    if MODE == "port taken":
        print(f"main: couldn't bind HTTP server socket, hostname: 127.0.0.1, port: {port}", file=sys.stderr)
        return 1
    if MODE == "says another's port":
        port = int((HERE / "other").read_text())
        print(f"main: HTTP server is listening, hostname: 127.0.0.1, port: {port}, http threads: 3", file=sys.stderr)
        time.sleep(600)
    try:
        server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
    except OSError:
        print(f"main: couldn't bind HTTP server socket, hostname: 127.0.0.1, port: {port}", file=sys.stderr)
        return 1
    server.daemon_threads = True
    print(f"main: HTTP server is listening, hostname: 127.0.0.1, port: {port}, http threads: 3", file=sys.stderr)
    if MODE != "loads for ever":
        print("load_tensors:   CPU_Mapped model buffer size =     8.01 MiB", file=sys.stderr)
        print("llama_kv_cache_init:        CPU KV buffer size =     2.50 MiB", file=sys.stderr)
        LOADED.set()
    server.serve_forever()
    return 0


sys.exit(main(sys.argv[1:]))
