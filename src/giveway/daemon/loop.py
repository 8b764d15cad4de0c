"""The daemon's event loop: pages, timers, clients."""

from __future__ import annotations

import contextlib
import faulthandler
import gc
import os
import select
import signal
import socket
import time
from pathlib import Path
from typing import Any, Final

from giveway import page
from giveway.daemon import client, service
from giveway.daemon.connections import MAX_CONNECTIONS, Connections
from giveway.daemon.host import Host
from giveway.daemon.requests import Request
from giveway.daemon.supervisor import END, Heartbeat
from giveway.errors import PageError
from giveway.page.decider import Gates
from giveway.page.folder import open_shared

BEAT_SECONDS: Final = 0.1
HANG_SECONDS: Final = 2
"""The heartbeat timeout: the supervisor ends a process that has looped in C code for so long."""
LOADING_SECONDS: Final = 60
"""The heartbeat timeout while a user's module is imported."""


class Loop:
    """Serves pages, timers and clients until `stop`."""

    def __init__(self, host: Host, crash_log: Path, heartbeat: Heartbeat) -> None:
        self._host = host
        self._heartbeat = heartbeat
        # Opened now, because a signal handler cannot open a file.
        self._crash = open(crash_log, "w", opener=open_shared)  # noqa: SIM115
        # The handler writes a traceback from within C, then the default action ends the process.
        faulthandler.register(END, file=self._crash, chain=True)
        self._suspect = ""
        self._socket_path = client.folder() / client.SOCKET_NAME
        self._connections = Connections(self._listen(), self._answer, host.log)
        self._stopping = False
        self._woken, wake = socket.socketpair()
        for end in (self._woken, wake):
            end.setblocking(False)
        self._wake = wake
        signal.set_wakeup_fd(wake.fileno(), warn_on_full_buffer=False)
        self._next_beat = 0.0
        self._beats = 0
        self._unusable: dict[str, str] = {}

    def stop(self) -> None:
        """Makes `run` return soon. May be called by a signal handler."""
        self._stopping = True

    def write_crash(self, traceback: str) -> None:
        """Writes why this process ends, for the supervisor."""
        self._crash.write(traceback)
        self._crash.flush()

    def run(self) -> None:
        self._send_heartbeat(HANG_SECONDS)
        try:
            while not self._stopping:
                self._iterate()
        finally:
            self._connections.close()
            with contextlib.suppress(OSError):
                if self._is_ours():
                    self._socket_path.unlink()
            for gates in self._host.pages.values():
                gates.leave()

    def _iterate(self) -> None:
        host, clients = self._host, self._connections
        timeout = min(max(self._next_beat - time.monotonic(), 0.0), host.seconds_to_tick())
        pages = {gates.fileno(): device for device, gates in host.pages.items()}
        readers = {each.fileno(): each for each in clients.readers()}
        writers = {each.fileno(): each for each in clients.writers()}
        others = (self._woken.fileno(), clients.listener.fileno())
        # select, because poll and epoll count in whole milliseconds; there are few descriptors.
        readable, writable, _ = select.select(
            [*pages, *others, *readers], list(writers), [], timeout
        )
        for ready in readable:
            if ready in pages:
                self._read_changes(pages[ready])
        host.tick()
        if time.monotonic() >= self._next_beat:
            self._beat()
        for ready in readable:
            if ready in readers:
                clients.read(readers[ready])
            elif ready == others[0]:
                with contextlib.suppress(BlockingIOError):
                    self._woken.recv(1000)
            elif ready == others[1]:
                clients.accept()
        for ready in writable:
            clients.write(writers[ready])
        clients.send_events()

    def _read_changes(self, device: str) -> None:
        try:
            self._host.read_changes(device)
        except PageError as error:
            self._host.handle_page_error(device, error)

    def _beat(self) -> None:
        self._host.beat()
        self._next_beat = time.monotonic() + BEAT_SECONDS
        self._find_pages()
        self._beats += 1
        if self._beats % 6000 == 0:
            gc.collect()
        elif self._beats % 10 == 0:
            gc.collect(1)
        if self._beats % 5 == 0:
            self._send_heartbeat(HANG_SECONDS)
        if self._beats % 10 == 0:
            self._host.refresh()
            self._connections.drop_idle()
            if not self._is_ours():
                self._host.log.add(
                    "socket", why="another process has removed or replaced the socket"
                )
                self._connections.listener.close()
                self._connections.listener = self._listen()

    def _send_heartbeat(self, seconds: int) -> None:
        """Sends a heartbeat to the supervisor; the next one is due within ``seconds``."""
        suspect = self._host.scheduler.policy.name
        if suspect != self._suspect:
            self._suspect = suspect
            self._crash.seek(0)
            self._crash.truncate()
            self._crash.write(f"{suspect}\n")
            self._crash.flush()
        self._heartbeat.send(seconds)

    def _find_pages(self) -> None:
        for device in page.page_names():
            if device in self._host.pages:
                continue
            try:
                self._host.add(Gates(page.Page.open(device)))
                self._unusable.pop(device, None)
            except PageError as error:
                if self._unusable.get(device) != str(error):
                    self._unusable[device] = str(error)
                    self._host.log.add("device unusable", device=device, why=str(error))

    def _answer(self, request: Request) -> dict[str, Any]:
        if request.do != "policy":
            return service.answer(self._host, request)
        self._send_heartbeat(LOADING_SECONDS)
        try:
            return service.answer(self._host, request)
        finally:
            self._send_heartbeat(HANG_SECONDS)

    def _listen(self) -> socket.socket:
        """A listening socket, moved to its path only after its permissions are set."""
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
        listener.setblocking(False)
        temporary = self._socket_path.with_name(f".{self._socket_path.name}.{os.getpid()}")
        temporary.unlink(missing_ok=True)
        with client.short_path(temporary) as name:
            listener.bind(name)
            os.chmod(name, 0o600)
        listener.listen(MAX_CONNECTIONS)
        temporary.replace(self._socket_path)
        self._inode = self._socket_path.stat().st_ino
        return listener

    def _is_ours(self) -> bool:
        try:
            return self._socket_path.lstat().st_ino == self._inode
        except OSError:
            return False
