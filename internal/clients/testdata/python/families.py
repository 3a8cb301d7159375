"""What the programs share: their arguments, and the run of their families.

PROGRAM.py HOST:PORT PREFIX plain|proxy

A family is a method of the program's class without an underscore. Each ends with a line "family NAME" once all it asserts
holds; all keys begin with PREFIX.
"""

import subprocess
import sys
import time
import types


def _arguments():
    addr, prefix, at = sys.argv[1:4]
    host, port = addr.rsplit(":", 1)
    return types.SimpleNamespace(host=host, port=int(port), prefix=prefix, proxied=at == "proxy")


arguments = _arguments()


def key(name):
    """A key of this run."""
    return arguments.prefix + name


def pair(a, b):
    """Two keys of one slot, as an application for clusters names them."""
    return f"{{{arguments.prefix}}}{a}", f"{{{arguments.prefix}}}{b}"


def same(got, want):
    assert got == want, f"got {got!r}, want {want!r}"


def raises(error, text, call, *args, **kwargs):
    try:
        got = call(*args, **kwargs)
    except error as e:
        assert text in str(e), f"the error is {e!r}, want {text!r}"
        return
    raise AssertionError(f"got {got!r}, want an error with {text!r}")


def eventually(what, condition):
    """Waits until the condition is true, and returns what it returned."""
    deadline = time.monotonic() + 60
    while True:
        got = condition()
        if got:
            return got
        assert time.monotonic() < deadline, f"not within 60 s: {what}"
        time.sleep(0.005)


def run(program):
    for name in [name for name in vars(type(program)) if not name.startswith("_")]:
        getattr(program, name)()
        print("family", name, flush=True)


def spawn(*command):
    """Starts a program that ends with this one, whatever it ends of."""
    return subprocess.Popen(["setpriv", "--pdeathsig", "KILL", *command])
