"""What belongs to a session, with redis-py: transactions, locks, blocking commands, Pub/Sub. See families.py."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import redis
from redis.exceptions import LockError, ResponseError, WatchError

from families import arguments, eventually, key, pair, raises, run, same

host, port = arguments.host, arguments.port


def connect(**options):
    return redis.Redis(host=host, port=port, decode_responses=True, **options)


r = connect()


def many(n, f):
    """Calls f n times at once, in threads of their own, and returns what they return."""
    with ThreadPoolExecutor(n) as pool:
        return [future.result() for future in [pool.submit(f) for _ in range(n)]]


class Families:
    def transactions(self):
        a, b = pair("a", "b")
        pipe = r.pipeline()
        same(pipe.set(a, 1).incr(a).rpush(b, "x", "y").lrange(b, 0, -1).get(a).execute(), [True, 2, 2, ["x", "y"], "2"])
        pipe.incr(a).incr(b)
        one, wrong = pipe.execute(raise_on_error=False)
        same(one, 3)
        assert isinstance(wrong, ResponseError) and "WRONGTYPE" in str(wrong), wrong
        pipe.set(a, 9).execute_command("SET", a)
        raises(ResponseError, "wrong number of arguments", pipe.execute)
        same(r.get(a), "3")
        big = r.pipeline()
        for i in range(2000):
            big.rpush(b + "big", i)
        same(big.execute(), list(range(1, 2001)))

    def watch(self):
        """Ten clients add up by WATCH, GET, SET: none of their additions is lost."""
        k, other = pair("watched", "other")

        def count():
            own, lost = connect(), 0
            for _ in range(20):
                with own.pipeline() as pipe:
                    while True:
                        try:
                            pipe.watch(k)
                            n = int(pipe.get(k) or 0)
                            pipe.multi()
                            pipe.set(k, n + 1)
                            pipe.execute()
                            break
                        except WatchError:
                            lost += 1
            own.close()
            return lost

        assert sum(many(10, count)) > 0, "nobody was ever in the way of another"
        same(r.get(k), "200")

        def add(pipe):
            n = int(pipe.get(k))
            pipe.multi()
            pipe.set(k, n + 1)
            pipe.rpush(other, n)

        many(5, lambda: [r.transaction(add, k) for _ in range(10)])
        same(r.get(k), "250")
        same(sorted(map(int, r.lrange(other, 0, -1))), list(range(200, 250)))
        with r.pipeline() as pipe:
            pipe.watch(k)
            pipe.unwatch()
            r.set(k, "changed")
            same(pipe.set(k, "mine").execute(), [True])

    def locks(self):
        inside, most = [0], [0]

        def work():
            own = connect()
            for _ in range(5):
                with own.lock(key("lock"), timeout=30, sleep=0.002):
                    inside[0] += 1
                    most[0] = max(most[0], inside[0])
                    time.sleep(0.001)
                    inside[0] -= 1
            own.close()

        many(8, work)
        same(most[0], 1)
        lock = r.lock(key("lock"), timeout=100)
        assert lock.acquire()
        same(r.lock(key("lock")).acquire(blocking=False), False)
        same(lock.extend(900), True)
        assert 100 < r.ttl(key("lock")) <= 1000
        same(lock.reacquire(), True)
        assert 0 < r.ttl(key("lock")) <= 100
        lock.release()
        brief = r.lock(key("lock"), timeout=0.1)
        assert brief.acquire()
        eventually("it is over", lambda: not brief.locked())
        raises(LockError, "no longer owned", brief.release)

    def blocking(self):
        a, b = pair("list", "other")
        begun = time.monotonic()
        same(r.blpop(a, 0.2), None)
        assert time.monotonic() - begun >= 0.19
        with ThreadPoolExecutor(4) as pool:
            popped = pool.submit(r.blpop, [a + "none", a], 0)
            time.sleep(0.05)
            r.rpush(a, "x", "y")
            same(popped.result(), (a, "x"))
            same(r.blmove(a, b, 1, "LEFT", "RIGHT"), "y")
            moved = pool.submit(r.brpoplpush, a, b, 0)
            r.lpush(a, "z")
            same(moved.result(), "z")
            lowest = pool.submit(r.bzpopmin, key("zset"), 0)
            r.zadd(key("zset"), {"one": 1, "two": 2})
            same(tuple(lowest.result()), (key("zset"), "one", 1.0))
            several = pool.submit(r.blmpop, 0, 2, a, a + "2", direction="LEFT", count=5)
            r.rpush(a, "m")
            same(several.result(), [a, ["m"]])

    def queues(self):
        """Consumers take what producers push, each from lists in several slots: each element once."""
        queues = [key(f"queue:{i}") for i in range(6)]
        taken = []

        def consume():
            own = connect()
            for _, element in iter(lambda: own.blpop(queues, 0), None):
                if element == "end":
                    return
                taken.append(int(element))

        threads = [threading.Thread(target=consume) for _ in range(5)]
        for t in threads:
            t.start()
        for i in range(300):
            r.rpush(queues[i % len(queues)], i)
        eventually("all is taken", lambda: len(taken) == 300)
        for t in threads:
            r.rpush(queues[0], "end")
        for t in threads:
            t.join()
        same(sorted(taken), list(range(300)))

    def groups(self):
        k = key("stream")
        same(r.xgroup_create(k, "g", mkstream=True), True)
        seen = []

        def consume(name):
            own = connect()
            while True:
                [[_, [(entry, fields)]]] = own.xreadgroup("g", name, {k: ">"}, count=1, block=0)
                same(own.xack(k, "g", entry), 1)
                if fields["n"] == "end":
                    return
                seen.append(int(fields["n"]))

        with ThreadPoolExecutor(4) as pool:
            consumers = [pool.submit(consume, f"consumer {i}") for i in range(3)]
            for n in list(range(200)) + ["end"] * 3:
                r.xadd(k, {"n": n})
            for c in consumers:
                c.result()
            same(sorted(seen), list(range(200)))
            same(r.xpending(k, "g")["pending"], 0)
            read = pool.submit(r.xread, {k: "$"}, block=0)
            eventually("the entry is read", lambda: r.xadd(k, {"n": "last"}) and read.done())  # once it waits
            [[name, [(_, fields)]]] = read.result()
            same((name, fields), (k, {"n": "last"}))
        same(r.xread({k: "$"}, block=50), [])

    def pubsub(self):
        p = r.pubsub()
        names = [key(f"channel:{i}") for i in range(100)]
        p.subscribe(*names)
        p.psubscribe(key("pattern:*"))
        told = [p.get_message(timeout=60) for _ in range(101)]
        same([(m["type"], m["data"]) for m in told], [("subscribe", i) for i in range(1, 101)] + [("psubscribe", 101)])
        for i, name in enumerate(names):
            same(r.publish(name, f"message {i}"), 1)
        same(r.publish(key("pattern:x"), "by pattern"), 1)
        got = [p.get_message(timeout=60) for _ in range(101)]
        want = {(name, f"message {i}") for i, name in enumerate(names)} | {(key("pattern:x"), "by pattern")}
        same({(m["channel"], m["data"]) for m in got}, want)
        for i in range(500):  # those of one channel keep their order
            r.publish(names[7], i)
        same([p.get_message(timeout=60)["data"] for _ in range(500)], [str(i) for i in range(500)])
        p.ping()
        same(p.get_message(timeout=60)["type"], "pong")
        p.check_health()
        same(p.get_message(timeout=0.05), None)
        same(r.pubsub_numsub(names[1], key("nobody")), [(names[1], 1), (key("nobody"), 0)])
        same(set(r.pubsub_channels(key("channel:*"))), set(names))
        assert r.pubsub_numpat() >= 1
        p.unsubscribe()
        p.punsubscribe()
        eventually("it hears nothing any more", lambda: p.get_message(timeout=0.1) is None and not p.subscribed)
        same(r.publish(names[0], "nobody hears"), 0)
        p.close()

    def threads(self):
        heard, matched = [], []
        p = r.pubsub(ignore_subscribe_messages=True)
        p.subscribe(**{key("handled"): lambda m: heard.append(m["data"])})
        p.psubscribe(**{key("handled:*"): lambda m: matched.append(m["channel"])})
        thread = p.run_in_thread(sleep_time=0.01, daemon=True)
        eventually("it has subscribed", lambda: r.publish(key("handled"), "first") == 1)
        eventually("it has subscribed", lambda: r.publish(key("handled:x"), "") == 1)
        r.publish(key("handled"), "second")
        eventually("it is called", lambda: heard == ["first", "second"] and matched == [key("handled:x")])
        thread.stop()
        thread.join()

    def reconnected(self):
        """The library subscribes again by itself when its connection is lost."""
        p = r.pubsub(ignore_subscribe_messages=True)
        p.subscribe(key("again"))
        mine = "%s:%d" % p.connection._sock.getsockname()
        me = eventually("it has subscribed", lambda: [c["id"] for c in r.client_list(_type="pubsub") if c["addr"] == mine])
        same(len(me), 1)
        same(r.client_kill_filter(_id=me[0]), 1)
        heard = []

        def hears():
            try:
                m = p.get_message(timeout=0.05)
            except redis.ConnectionError:
                return False  # this once: the next call connects again
            if m:
                heard.append(m["data"])
            return r.publish(key("again"), "after") == 1 and heard

        eventually("it hears again", hears)
        p.close()


run(Families())
r.close()
