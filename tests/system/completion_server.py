"""A small server of the OpenAI interface, for the bench; good, or bad in one way.

Run as ``python completion_server.py PORT [BEHAVIOUR]``. It answers each request on its own: a token
every 2 ms, or every ``TOKEN_SECONDS``. Prompts of requests are appended to the file that
``PROMPTS`` names, and a line for each start of a server to the file that ``STARTS`` names.

``stall``  answers 13 requests, and the next 30 of them only when all 30 wait
``500``    answers every request with an error
``json``   answers with one JSON object, not with a stream
``nonsense``  streams what is not JSON
``list``, ``wrong``  streams JSON that is no part of an answer
``error``  streams an error
``half``   closes the connection after two tokens
``early``  ends the stream after two tokens, without an end of the answer
``empty``  ends the answer without a token
``other``  speaks another protocol
``chunks`` sends a chunk without a size
``closes`` closes the connection without an answer
``dies``   ends after twenty answers
``silent`` never answers
``deaf``   takes no connection
``loading`` answers 503 to the first three requests
``queue``  answers one request after another
``once``   sends all tokens in one piece, with the end of the answer
``eight``  answers three requests, and then none until eight wait
``groups`` has a worker in a process group of its own, which its end leaves behind
``sessions`` has a worker in a session of its own, as torchrun's workers are
``chat``   speaks first of the role of the assistant, 20 ms before the first token
``broken`` ends before it listens
``humble`` does so where it has a niceness
``pair``   ends by SIGTERM only when two servers have had it, and notes both in the file ``ENDS``
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

TOKEN_SECONDS = float(os.environ.get("TOKEN_SECONDS", "0.002"))


class Server:
    def __init__(self, behaviour: str) -> None:
        self.behaviour = behaviour
        self.answered = self.asked = 0
        self.generated = 0
        self.all_wait = asyncio.Event()
        self.turn = asyncio.Lock()
        self.waiting = 0
        self.enough = asyncio.Event()

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await self.answer(reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        self.asked += 1
        if self.behaviour == "loading" and self.asked <= 3:
            writer.write(b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n")
            return
        if head.startswith("GET /v1/models "):
            plain(writer, "200 OK", {"data": [{"id": "tiny"}]})
            return
        length = next(line for line in head.splitlines() if line.lower().startswith("content-len"))
        body = json.loads(await reader.readexactly(int(length.split()[1])))
        assert body["model"] == "tiny"
        if "PROMPTS" in os.environ:
            with open(os.environ["PROMPTS"], "a") as file:
                file.write(json.dumps(body) + "\n")
        await getattr(self, f"do_{self.behaviour}", self.do_well)(writer, body)
        self.answered += 1

    async def do_well(self, writer: asyncio.StreamWriter, body: dict) -> None:
        start(writer)
        for _ in range(body["max_tokens"]):
            await asyncio.sleep(TOKEN_SECONDS)
            event(writer, {"choices": [{"text": "a", "finish_reason": None}]})
        event(writer, {"choices": [{"text": "", "finish_reason": "length"}]})
        if "stream_options" in body:
            event(writer, {"choices": [], "usage": {"completion_tokens": body["max_tokens"]}})
        chunk(writer, b"data: [DONE]\n\n")
        chunk(writer, b"")

    async def do_chat(self, writer: asyncio.StreamWriter, body: dict) -> None:
        start(writer)
        event(writer, {"choices": [{"delta": {"role": "assistant", "content": ""}}]})
        await asyncio.sleep(0.02)
        for _ in range(body["max_tokens"]):
            event(writer, {"choices": [{"delta": {"content": "a"}}]})
            await asyncio.sleep(TOKEN_SECONDS)
        event(writer, {"choices": [{"delta": {}, "finish_reason": "stop"}]})
        chunk(writer, b"data: [DONE]\n\n")
        chunk(writer, b"")

    async def do_queue(self, writer: asyncio.StreamWriter, body: dict) -> None:
        async with self.turn:
            await self.do_well(writer, body)

    async def do_once(self, writer: asyncio.StreamWriter, body: dict) -> None:
        start(writer)
        choice = {"text": "a" * body["max_tokens"], "finish_reason": "length"}
        event(writer, {"choices": [choice], "usage": {"completion_tokens": body["max_tokens"]}})
        chunk(writer, b"data: [DONE]\n\n")
        chunk(writer, b"")

    async def do_eight(self, writer: asyncio.StreamWriter, body: dict) -> None:
        if self.answered >= 3:
            self.waiting += 1
            if self.waiting == 8:
                self.enough.set()
            await self.enough.wait()
        await self.do_well(writer, body)

    async def do_stall(self, writer: asyncio.StreamWriter, body: dict) -> None:
        self.generated += 1
        if self.generated == 13 + 30:
            self.all_wait.set()
        if self.generated > 13:
            await self.all_wait.wait()
        await self.do_well(writer, body)

    async def do_500(self, writer: asyncio.StreamWriter, _: dict) -> None:
        print("out of memory", flush=True)
        plain(writer, "500 Internal Server Error", {"error": {"message": "no kernel"}})

    async def do_json(self, writer: asyncio.StreamWriter, _: dict) -> None:
        plain(writer, "200 OK", {"choices": [{"text": "all at once"}]})

    async def do_nonsense(self, writer: asyncio.StreamWriter, _: dict) -> None:
        start(writer)
        chunk(writer, b"data: {nothing\n\n")

    async def do_list(self, writer: asyncio.StreamWriter, _: dict) -> None:
        start(writer)
        event(writer, [1, 2])

    async def do_wrong(self, writer: asyncio.StreamWriter, _: dict) -> None:
        start(writer)
        event(writer, {"choices": [5]})

    async def do_error(self, writer: asyncio.StreamWriter, _: dict) -> None:
        start(writer)
        event(writer, {"error": {"message": "out of memory"}})

    async def do_early(self, writer: asyncio.StreamWriter, body: dict) -> None:
        await self.do_half(writer, body)
        chunk(writer, b"")

    async def do_empty(self, writer: asyncio.StreamWriter, _: dict) -> None:
        start(writer)
        chunk(writer, b"data: [DONE]\n\n")
        chunk(writer, b"")

    async def do_other(self, writer: asyncio.StreamWriter, _: dict) -> None:
        writer.write(b"SSH-2.0-OpenSSH\r\n")

    async def do_chunks(self, writer: asyncio.StreamWriter, _: dict) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n")

    async def do_half(self, writer: asyncio.StreamWriter, _: dict) -> None:
        start(writer)
        for _ in range(2):
            event(writer, {"choices": [{"text": "a", "finish_reason": None}]})

    async def do_closes(self, writer: asyncio.StreamWriter, _: dict) -> None:
        print("goodbye", flush=True)

    async def do_dies(self, writer: asyncio.StreamWriter, body: dict) -> None:
        if self.answered >= 20:
            print("segmentation fault", flush=True)
            os._exit(3)
        await self.do_well(writer, body)

    async def do_silent(self, writer: asyncio.StreamWriter, body: dict) -> None:
        if self.answered >= 14:  # it is warm
            await asyncio.sleep(1000)
        await self.do_well(writer, body)


def plain(writer: asyncio.StreamWriter, status: str, value: object) -> None:
    body = json.dumps(value).encode()
    writer.write(f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body)


def start(writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")


def event(writer: asyncio.StreamWriter, value: object) -> None:
    chunk(writer, b"data: " + json.dumps(value).encode() + b"\n\n")


def chunk(writer: asyncio.StreamWriter, data: bytes) -> None:
    writer.write(f"{len(data):x}\r\n".encode() + data + b"\r\n")


def note_end(word: str) -> None:
    with open(os.environ["ENDS"], "a") as file:
        file.write(word + "\n")


def end_in_pairs(tasks: set) -> None:
    note_end("asked")

    async def wait() -> None:
        while Path(os.environ["ENDS"]).read_text().split().count("asked") < 2:
            await asyncio.sleep(0.01)
        note_end("ended")
        os._exit(0)

    tasks.add(asyncio.ensure_future(wait()))


async def main() -> None:
    port, behaviour = (*sys.argv[1:], "well")[:2]
    if "STARTS" in os.environ:
        with open(os.environ["STARTS"], "a") as file:
            file.write(behaviour + "\n")
    if behaviour == "groups":
        subprocess.Popen(["sleep", "1000"], process_group=0)
    if behaviour == "sessions":
        subprocess.Popen(["sleep", "1000"], start_new_session=True)
    if behaviour == "broken":
        sys.exit("no weights")
    if behaviour == "humble" and os.nice(0) > 0:
        sys.exit("not as a nice program")
    if behaviour == "pair":
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, end_in_pairs, set())
    if behaviour == "deaf":
        print("looking for weights", flush=True)
        await asyncio.sleep(1000)
    server = await asyncio.start_server(Server(behaviour).handle, "127.0.0.1", int(port))
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main())
