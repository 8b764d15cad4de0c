"""A minimal X server that reports which window has the focus, where Xvfb is missing.

Windows have properties, and clients hear of changes: the requests of the X11 protocol, version 11,
that python-xlib makes for that. Any other gets the error BadImplementation.
"""

from __future__ import annotations

import contextlib
import itertools
import socket
import struct
import threading
from collections.abc import Iterator

ROOT = 0x101
BAD_WINDOW, BAD_IMPLEMENTATION = 3, 17
PROPERTY_NOTIFY = 28
EVENT_MASK = 1 << 11
"""The bit of ChangeWindowAttributes."""
PROPERTY_CHANGE = 1 << 22
"""The bit of an event mask."""

Property = tuple[int, int, bytes]
"""Type, format (bits of an item) and data."""


class XServer:
    """Serves until `close`. ``name`` is the value for DISPLAY."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.atoms: dict[bytes, int] = {}
        self.windows: dict[int, dict[int, Property]] = {ROOT: {}}
        self.listeners: set[_Client] = set()
        self._clients: list[_Client] = []
        self._socket = socket.socket(socket.AF_UNIX)
        for number in itertools.count(1000):
            with contextlib.suppress(OSError):  # another test's
                self._socket.bind(f"\0/tmp/.X11-unix/X{number}")
                break
        self.name = f":{number}"
        self._socket.listen()
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        for number in itertools.count(1):
            try:
                peer, _ = self._socket.accept()
            except OSError:
                return
            client = _Client(self, peer, number << 21)
            self._clients.append(client)
            threading.Thread(target=client.serve, daemon=True).start()

    def close(self) -> None:
        self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        for client in self._clients:
            client.close()


class _Client:
    def __init__(self, server: XServer, peer: socket.socket, base: int) -> None:
        self._server = server
        self._socket = peer
        self._file = peer.makefile("rb")
        self._base = base
        self._serial = 0

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)

    def serve(self) -> None:
        with contextlib.suppress(OSError, struct.error):  # it has gone
            self._set_up()
            for opcode, detail, body in self._requests():
                with self._server.lock:
                    self._serial = (self._serial + 1) & 0xFFFF
                    self._handle(opcode, detail, body)
        with self._server.lock:
            self._server.listeners.discard(self)
        self._file.close()
        self._socket.close()

    def _set_up(self) -> None:
        _, _, _, name, data = struct.unpack("<BxHHHH2x", self._file.read(12))
        self._file.read(-(-name // 4) * 4 + -(-data // 4) * 4)
        pixmap_format = struct.pack("<BBB5x", 24, 32, 32)
        screen = struct.pack(
            "<5L6HL4B", ROOT, 0x20, 0xFFFFFF, 0, 0, 800, 600, 200, 150, 1, 1, 0x21, 0, 0, 24, 0
        )
        rest = struct.pack(
            "<4L2H8B4x", 1, self._base, 0x1FFFFF, 0, 4, 0xFFFF, 1, 1, 0, 0, 32, 32, 8, 8
        )
        rest += b"test" + pixmap_format + screen
        self._socket.sendall(struct.pack("<BxHHH", 1, 11, 0, len(rest) // 4) + rest)

    def _requests(self) -> Iterator[tuple[int, int, bytes]]:
        while True:
            opcode, detail, words = struct.unpack("<BBH", self._file.read(4))
            yield opcode, detail, self._file.read(4 * words - 4)

    def _reply(self, detail: int, fields: bytes, data: bytes = b"") -> None:
        data += bytes(-len(data) % 4)
        head = struct.pack("<BBHL", 1, detail, self._serial, len(data) // 4)
        self._socket.sendall(head + fields.ljust(24, b"\0") + data)

    def _error(self, code: int, resource: int, opcode: int) -> None:
        self._socket.sendall(struct.pack("<BBHLHB21x", 0, code, self._serial, resource, 0, opcode))

    def _handle(self, opcode: int, detail: int, body: bytes) -> None:
        windows = self._server.windows
        (first,) = struct.unpack_from("<L", body) if len(body) >= 4 else (0,)
        if opcode == 1:  # CreateWindow
            windows[first] = {}
        elif opcode == 4:  # DestroyWindow
            windows.pop(first, None)
        elif opcode == 16:  # InternAtom
            atoms, name = self._server.atoms, body[4 : 4 + (first & 0xFFFF)]
            self._reply(0, struct.pack("<L", atoms.setdefault(name, 100 + len(atoms))))
        elif opcode == 99:  # ListExtensions
            self._reply(0, b"")
        elif opcode == 101:  # GetKeyboardMapping: a key has one symbol, and none of them any
            self._reply(1, b"", bytes(4 * body[1]))
        elif opcode == 106:  # GetPointerControl, by which clients wait for their requests
            self._reply(0, b"")
        elif opcode not in (2, 18, 20):
            self._error(BAD_IMPLEMENTATION, first, opcode)
        elif first not in windows:
            self._error(BAD_WINDOW, first, opcode)
        elif opcode == 2:  # ChangeWindowAttributes
            self._listen(struct.unpack_from("<L", body, 4)[0], body[8:])
        elif opcode == 18:  # ChangeProperty
            atom, kind, bits, count = struct.unpack_from("<LLB3xL", body, 4)
            windows[first][atom] = kind, bits, body[20 : 20 + count * bits // 8]
            for client in self._server.listeners if first == ROOT else ():
                client.notify(atom)
        else:  # GetProperty
            (atom,) = struct.unpack_from("<L", body, 4)
            kind, bits, data = windows[first].get(atom, (0, 0, b""))
            count = len(data) * 8 // bits if bits else 0
            self._reply(bits, struct.pack("<LLL", kind, 0, count), data)

    def _listen(self, mask: int, values: bytes) -> None:
        if mask & EVENT_MASK:
            before = (mask & (EVENT_MASK - 1)).bit_count()
            (events,) = struct.unpack_from("<L", values, 4 * before)
            if events & PROPERTY_CHANGE:
                self._server.listeners.add(self)

    def notify(self, atom: int) -> None:
        event = struct.pack("<BxHLLLB15x", PROPERTY_NOTIFY, self._serial, ROOT, atom, 0, 0)
        with contextlib.suppress(OSError):
            self._socket.sendall(event)
