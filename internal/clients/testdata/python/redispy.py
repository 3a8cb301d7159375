"""redis-py through the proxy, as an application written for one Redis uses it.

redispy.py standalone|cluster HOST:PORT PROTOCOL PREFIX

Each family of commands ends with a line "family NAME" once all it asserts holds; all keys begin with PREFIX. The test that
runs this knows which families it wants to read.
"""

import sys

import redis
from redis.cluster import RedisCluster
from redis.exceptions import NoScriptError, ResponseError


def connect(mode, host, port, protocol, **options):
    if protocol != 2:  # the argument is as old as RESP3 in redis-py: 5.0
        options["protocol"] = protocol
    kind = RedisCluster if mode == "cluster" else redis.Redis
    return kind(host=host, port=port, **options)


def same(got, want):
    assert got == want, f"got {got!r}, want {want!r}"


def raises(error, text, call, *args, **kwargs):
    try:
        got = call(*args, **kwargs)
    except error as e:
        assert text in str(e), f"the error is {e!r}, want {text!r}"
        return
    raise AssertionError(f"got {got!r}, want an error with {text!r}")


class Families:
    """Each method without an underscore is a family. r decodes replies, raw does not."""

    def __init__(self, mode, r, raw, protocol, prefix):
        self.cluster = mode == "cluster"
        self.r, self.raw, self.resp3, self.prefix = r, raw, protocol == 3, prefix

    def _key(self, name):
        return self.prefix + name

    def _pair(self, a, b):
        """Two keys of one slot, as an application for clusters names them."""
        return f"{{{self.prefix}}}{a}", f"{{{self.prefix}}}{b}"

    def strings(self):
        r, k = self.r, self._key("s")
        same(r.set(k, "v", ex=100), True)
        same(r.get(k), "v")
        same(r.set(k, "w", nx=True), None)
        same(r.set(k, "w", xx=True, keepttl=True, get=True), "v")
        assert 0 < r.ttl(k) <= 100
        same(r.append(k, "xyz"), 4)
        same(r.getrange(k, 1, 2), "xy")
        same(r.strlen(k), 4)
        same(r.getdel(k), "wxyz")
        same(r.get(k), None)
        same(r.incrby(k, 41), 41)
        same(r.incr(k), 42)
        same(float(r.incrbyfloat(k, 0.5)), 42.5)
        same(r.setbit(self._key("bits"), 7, 1), 0)
        same(r.bitcount(self._key("bits")), 1)
        binary = bytes(range(256)) * 100
        same(self.raw.set(self._key("bin\0\r\n"), binary), True)
        same(self.raw.get(self._key("bin\0\r\n")), binary)
        raises(ResponseError, "WRONGTYPE", r.lpush, k, "x")
        values = {self._key(f"m{i}"): str(i) for i in range(50)}
        if self.cluster:
            r.mset_nonatomic(values)
            same(r.mget_nonatomic(*values), list(values.values()))
        else:
            same(r.mset(values), True)
            same(r.mget(list(values) + [self._key("none")]), list(values.values()) + [None])
        same(r.exists(*values), 50)
        same(r.delete(*values), 50)

    def hashes(self):
        r, k = self.r, self._key("h")
        same(r.hset(k, mapping={"a": 1, "b": "two"}), 2)
        same(r.hget(k, "a"), "1")
        same(r.hmget(k, "a", "none"), ["1", None])
        same(r.hgetall(k), {"a": "1", "b": "two"})
        same(r.hincrby(k, "a", 4), 5)
        same(r.hexists(k, "c"), False)
        same(sorted(r.hkeys(k)), ["a", "b"])
        same(r.hdel(k, "a", "none"), 1)
        same(r.hlen(k), 1)
        same(r.hgetall(self._key("none")), {})

    def lists(self):
        r = self.r
        k, other = self._pair("l", "l2")
        same(r.rpush(k, "a", "b", "c"), 3)
        same(r.lrange(k, 0, -1), ["a", "b", "c"])
        same(r.lpop(k), "a")
        same(r.rpop(k, 2), ["c", "b"])
        same(r.lpop(k), None)
        r.rpush(k, "x", "y")
        same(r.lmove(k, other, "LEFT", "RIGHT"), "x")
        same(r.linsert(other, "BEFORE", "x", "w"), 2)
        same(r.lpos(other, "x"), 1)
        same(r.lindex(other, 0), "w")

    def sets(self):
        r = self.r
        a, b = self._pair("a", "b")
        same(r.sadd(a, "1", "2", "3"), 3)
        same(r.sadd(b, "2", "3", "4"), 3)
        same(set(r.smembers(a)), {"1", "2", "3"})
        same(set(r.sinter(a, b)), {"2", "3"})
        same(set(r.sunion(a, b)), {"1", "2", "3", "4"})
        same(r.sismember(a, "1"), True)
        same(list(map(bool, r.smismember(a, ["1", "9"]))), [True, False])
        same(r.srem(a, "1"), 1)
        same(r.scard(a), 2)
        assert r.spop(a) in {"2", "3"}

    def sortedsets(self):
        r, k = self.r, self._key("z")
        same(r.zadd(k, {"one": 1, "half": 0.5, "inf": float("inf")}), 3)
        pairs = [("half", 0.5), ("one", 1.0), ("inf", float("inf"))]
        same([tuple(pair) for pair in r.zrange(k, 0, -1, withscores=True)], pairs)
        same(r.zscore(k, "half"), 0.5)
        same(r.zrank(k, "inf"), 2)
        same(r.zincrby(k, 2, "one"), 3.0)
        same(r.zrangebyscore(k, "(0.5", 10), ["one"])
        same(r.zcount(k, 0, 10), 2)
        same(r.zadd(k, {"one": 1}, gt=True, ch=True), 0)
        same([tuple(pair) for pair in self._flat(r.zpopmin(k))], [("half", 0.5)])
        same(r.zmscore(k, ["one", "none"]), [3.0, None])
        same(r.zcard(k), 2)

    @staticmethod
    def _flat(pairs):
        """RESP3 has one pair alone where RESP2 has a list of one pair, in some versions."""
        return [pairs] if pairs and not isinstance(pairs[0], (list, tuple)) else pairs

    def streams(self):
        r, k = self.r, self._key("x")
        same(r.xadd(k, {"f": "1"}, id="1-1"), "1-1")
        same(r.xadd(k, {"f": "2"}, id="2-1"), "2-1")
        same(r.xlen(k), 2)
        same(r.xrange(k), [("1-1", {"f": "1"}), ("2-1", {"f": "2"})])
        same(self._streams(r.xread({k: "1-1"})), {k: [("2-1", {"f": "2"})]})
        same(r.xgroup_create(k, "g", id="0"), True)
        raises(ResponseError, "BUSYGROUP", r.xgroup_create, k, "g")
        same(self._streams(r.xreadgroup("g", "me", {k: ">"}, count=1)), {k: [("1-1", {"f": "1"})]})
        same(r.xpending(k, "g")["pending"], 1)
        same(r.xclaim(k, "g", "you", 0, ["1-1"]), [("1-1", {"f": "1"})])
        same(r.xack(k, "g", "1-1"), 1)
        same(r.xinfo_stream(k)["length"], 2)
        same(r.xinfo_groups(k)[0]["name"], "g")
        same(r.xtrim(k, maxlen=1, approximate=False), 1)

    @staticmethod
    def _streams(reply):
        """A map in RESP3, whose entries are one list deeper; an array of pairs in RESP2."""
        if isinstance(reply, dict):
            return {k: [tuple(entry) for entry in v[0]] for k, v in reply.items()}
        return dict(reply)

    def scripts(self):
        r, k = self.r, self._key("script")
        body = f"-- {self.prefix}\nreturn {{KEYS[1], ARGV[1], redis.call('INCR', KEYS[1])}}"
        unseen = "0" * 40
        raises(NoScriptError, "No matching script", r.evalsha, unseen, 1, k)
        registered = r.register_script(body)
        same(registered(keys=[k], args=["a"]), [k, "a", 1])  # nobody has seen it: redis-py loads it
        same(r.eval(body, 1, k, "b"), [k, "b", 2])
        for i in range(20):  # on all primaries
            other = self._key(f"script{i}")
            same(registered(keys=[other], args=["a"]), [other, "a", 1])
        sha = r.script_load(body + " ")
        same(r.script_exists(sha, unseen), [True, False])
        for i in range(20):
            other = self._key(f"script{i}")
            same(r.evalsha(sha, 1, other, "c"), [other, "c", 2])
        r.script_flush()
        raises(NoScriptError, "No matching script", r.evalsha, sha, 1, k)
        same(registered(keys=[k], args=["d"]), [k, "d", 3])
        raises(ResponseError, "my error", r.eval, "return redis.error_reply('my error')", 1, k)

    def scan(self):
        r = self.r
        want = {self._key(f"scan:{i}") for i in range(300)}
        for i, key in enumerate(sorted(want)):
            r.set(key, i)
        hashed = self._key("scan:hash")
        r.hset(hashed, mapping={f"f{i}": i for i in range(1000)})
        match = self._key("scan:*")
        same(set(r.scan_iter(match=match, count=100)), want | {hashed})
        same(set(r.scan_iter(match=match, _type="STRING", count=500)), want)
        same(set(r.scan_iter(match=match, _type="hash", count=1000)), {hashed})
        same(set(r.keys(match)), want | {hashed})
        same(dict(r.hscan_iter(hashed, count=10)), {f"f{i}": str(i) for i in range(1000)})
        members = {f"member {i}" for i in range(1000)}
        r.sadd(self._key("set"), *members)
        same(set(r.sscan_iter(self._key("set"), match="member*")), members)
        r.zadd(self._key("zset"), {m: 1.5 for m in members})
        same(dict(r.zscan_iter(self._key("zset"), count=100)), {m: 1.5 for m in members})
        assert r.dbsize() >= len(want)
        same(r.unlink(*want), len(want))
        same(set(r.scan_iter(match=match, count=500)), {hashed})

    def pipelines(self):
        pipe = self.r.pipeline(transaction=False) if not self.cluster else self.r.pipeline()
        want = []
        for i in range(500):
            k = self._key(f"p:{i}")
            pipe.set(k, i)
            pipe.get(k)
            pipe.hset(k + "h", "f", i)
            pipe.hgetall(k + "h")
            want += [True, str(i), 1, {"f": str(i)}]
        same(pipe.execute(), want)
        pipe.get(self._key("p:1")).lpush(self._key("p:1"), "x").get(self._key("p:2"))
        one, error, two = pipe.execute(raise_on_error=False)
        same((one, two), ("1", "2"))
        assert isinstance(error, ResponseError) and "WRONGTYPE" in str(error), error

    def server(self):
        if self.cluster:
            return self._nodes()
        r = self.r
        same(r.ping(), True)
        assert r.info()["redis_version"].split(".")[0].isdigit()
        assert "db0" in r.info("keyspace")
        same(r.config_get("databases")["databases"], "1")
        same(r.client_setname("redis-py-test"), True)
        same(r.client_getname(), "redis-py-test")
        assert "redis-py-test" in {c["name"] for c in r.client_list()}
        assert r.command_count() > 200
        seconds, micros = r.time()
        assert seconds > 1e9 and 0 <= micros < 1e6
        k = self._key("object")
        r.set(k, "1", ex=100)
        same(r.type(k), "string")
        same(r.object("encoding", k), "int")
        assert r.memory_usage(k) > 0
        same(r.persist(k), True)
        same(r.ttl(k), -1)
        dump = self.raw.dump(k)
        same(self.raw.restore(k + "2", 0, dump), b"OK")
        same(r.get(k + "2"), "1")

    def _nodes(self):
        """The cluster client knows one node, the proxy."""
        nodes = self.r.get_nodes()
        same([(node.port, node.server_type) for node in nodes], [(int(sys.argv[2].split(":")[1]), "primary")])
        same(self.r.cluster_keyslot("foo"), 12182)
        same(self.r.cluster_info(target_nodes=nodes[0])["cluster_state"], "ok")


def main():
    mode, addr, protocol, prefix = sys.argv[1:]
    host, port = addr.rsplit(":", 1)
    protocol = int(protocol)
    r = connect(mode, host, int(port), protocol, decode_responses=True)
    raw = connect(mode, host, int(port), protocol)
    families = Families(mode, r, raw, protocol, prefix)
    for name in [name for name in vars(Families) if not name.startswith("_")]:
        getattr(families, name)()
        print("family", name, flush=True)
    r.close()
    raw.close()


main()
