"""Network namespaces that live as long as this process and leave nothing behind."""

import ctypes
import os
import socket
import threading

from .host import run

_CLONE_NEWNET = 0x40000000
_libc = ctypes.CDLL(None, use_errno=True)


def _checked(result):
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


class NetworkNamespace:
    """Held by a file descriptor, not by a name or a process."""

    def __init__(self):
        self._fd = None
        self._fd = _in_thread(self._make)

    def _make(self):
        _checked(_libc.unshare(_CLONE_NEWNET))
        return os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)

    @property
    def path(self):
        return f"/proc/{os.getpid()}/fd/{self._fd}"

    def close(self):
        os.close(self._fd)

    def call(self, function, *arguments):
        """Calls it in a thread that is in this namespace. Sockets made there
        stay there, whoever uses them."""

        def there():
            _checked(_libc.setns(self._fd, _CLONE_NEWNET))
            return function(*arguments)

        return _in_thread(there)

    def run(self, *command):
        return run("nsenter", f"--net={self.path}", *command)

    def listen(self, address, port):
        return self.call(_listen, address, port)

    def connect(self, address, port, timeout=5):
        return self.call(socket.create_connection, (address, port), timeout)


def _listen(address, port):
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind((address, port))
    listener.listen(128)
    return listener


def _in_thread(function):
    results = []

    def keep():
        try:
            results.append((function(), None))
        except BaseException as error:  # handed to the caller below
            results.append((None, error))

    thread = threading.Thread(target=keep)
    thread.start()
    thread.join()
    value, error = results[0]
    if error is not None:
        raise error
    return value
