"""Celery with Redis as its broker and its result backend, as its users run it. See families.py."""

import os
import sys
import time

from families import arguments, eventually, key, raises, run, same, spawn

os.environ["REDIS_URL"] = f"redis://{arguments.host}:{arguments.port}/0"
os.environ["KEY_PREFIX"] = arguments.prefix

from celery import chain, chord, group  # noqa: E402: what is imported reads the environment
from celery_tasks import app, count, double, flaky, progress, sleep, store, total, wrong  # noqa: E402

default, counted = key("default"), key("counted")


def worker(name, *options):
    return spawn(
        sys.executable, "-m", "celery", "--app", "celery_tasks", "--workdir", os.path.dirname(__file__),
        "worker", "--hostname", f"{name}@{arguments.port}", "--loglevel", "WARNING", *options,
    )


def got(result):
    """What the task returned. Celery's own get waits for a message, which under load may come before its subscription."""
    eventually("it is ready", result.ready)
    return result.get(timeout=60)


def asked(workers):
    """What asks that many workers, and waits until they have answered."""
    return app.control.inspect(timeout=60, limit=workers)


class Families:
    def worked(self):
        """Two workers, each of which waits for two queues with two priorities: BRPOP over several keys."""
        results = [count.delay(key("before"), i) for i in range(10)]
        self._workers = [worker(f"w{i}", "--concurrency", "2", "--queues", f"{default},{counted}") for i in range(2)]
        results += [count.apply_async((key("before"), i), priority=i % 10) for i in range(10, 200)]
        same([got(result) for result in results], list(range(200)))
        same(sorted(map(int, store.lrange(key("before"), 0, -1))), list(range(200)))  # each once
        failed = wrong.delay()
        raises(KeyError, "no such thing", got, failed)
        same((failed.state, "KeyError" in failed.traceback), ("FAILURE", True))
        same(got(flaky.delay(key("flaky"))), "at last")
        later = time.monotonic()
        same(got(double.apply_async((4,), countdown=0.5)), 8)
        assert time.monotonic() - later >= 0.5
        results[0].forget()
        same(count.AsyncResult(results[0].id).state, "PENDING")
        states, listens = [], key("listens")
        result = progress.delay(listens)
        same(result.get(timeout=60, on_message=lambda m: states.append(m["status"]), on_interval=lambda: store.set(listens, 1)), "all the way")
        assert "HALFWAY" in states, states  # told by Pub/Sub

    def composed(self):
        same(got(group(double.s(i) for i in range(20)).apply_async()), [2 * i for i in range(20)])
        same(got(chain(double.s(1), double.s(), double.s()).apply_async()), 8)
        same(got(chord([double.s(i) for i in range(20)], total.s()).apply_async()), 380)
        nested = chain(group(double.s(i) for i in range(5)), total.s(), double.s())
        same(got(nested.apply_async()), 40)

    def controlled(self):
        """The workers are asked and told by Pub/Sub, and answer through queues."""
        names = [f"w{i}@{arguments.port}" for i in range(2)]
        # A worker that has only just begun hears nothing yet.
        eventually("both are there", lambda: len(app.control.inspect(timeout=1, limit=2).ping() or {}) == 2)
        same(asked(2).ping(), {name: {"ok": "pong"} for name in names})
        for queues in asked(2).active_queues().values():
            same({q["name"] for q in queues}, {default, counted})
        slept = sleep.delay(key("slept"))
        eventually("it sleeps", lambda: store.llen(key("slept")) == 1)

        def active():
            return [task["id"] for tasks in asked(2).active().values() for task in tasks]

        eventually("a worker has heard from its own process that it sleeps", lambda: active() == [slept.id])
        slept.revoke(terminate=True)
        raises(Exception, "terminated", got, slept)
        same(slept.state, "REVOKED")
        for countdown in (1, 5, 25):
            begun = time.monotonic()
            revoked = double.apply_async((1,), countdown=countdown)
            app.control.revoke(revoked.id, reply=True, timeout=60, limit=2)
            if time.monotonic() - begun < countdown:  # they were told before its time
                break
        raises(Exception, "revoked", got, revoked)
        app.control.broadcast("shutdown", destination=names[1:])
        same(self._workers[1].wait(timeout=60), 0)
        same(asked(1).ping(), {names[0]: {"ok": "pong"}})

    def waited(self):
        """Tasks wait in their queues while there is no worker."""
        self._workers[0].terminate()
        same(self._workers[0].wait(timeout=60), 0)
        results = [count.delay(key("after"), i) for i in range(20)]
        last = worker("last", "--concurrency", "1", "--pool", "solo", "--queues", f"{default},{counted}")
        same([got(result) for result in results], list(range(20)))
        same(sorted(map(int, store.lrange(key("after"), 0, -1))), list(range(20)))  # each once
        last.terminate()
        same(last.wait(timeout=60), 0)
        same(app.control.purge(), 0)


run(Families())
