package proxy_test

import (
	"strings"
	"testing"

	"redis-cluster-proxy/internal/proxytest"
)

// TestForwardedRepliesAreThoseOfRedis sends commands of each kind, with replies of each type, wrong ones among them.
func TestForwardedRepliesAreThoseOfRedis(t *testing.T) {
	tw := startTwins(t)
	lines := []string{
		"SET {v}s hello", "GET {v}s", "GET {v}none", "SET {v}s x NX", "SET {v}s y XX GET", "GETRANGE {v}s 0 10", "STRLEN {v}s", "INCR {v}s",
		"SET {v}n 10", "INCR {v}n", "INCRBYFLOAT {v}n 0.5", "APPEND {v}s more", "GETSET {v}s z", "GETEX {v}s PERSIST", "GETDEL {v}s",
		"SET {v}s \r\n\x00\xff", "GET {v}s", `SET {v}e ""`, "GET {v}e", "SETRANGE {v}s 10 x", "GET {v}s", "SET {v}s a b c", "LCS {v}s {v}n",
		"MSETNX {v}x1 1 {v}x2 2", "MSETNX {v}x2 1 {v}x3 2", "MGET {v}x1 {v}x2 {v}x3",
		"HSET {v}h a 1 b 2", "HGETALL {v}h", "HGET {v}h none", "HMGET {v}h a none", "HINCRBYFLOAT {v}h a 1.5", "HRANDFIELD {v}none 3 WITHVALUES",
		"HSCAN {v}h 0", "HGETALL {v}none", "HLEN {v}s",
		"RPUSH {v}l a b c", "LRANGE {v}l 0 -1", "LPOS {v}l c", "LPOS {v}l none", "LINDEX {v}l 9", "LPOP {v}none", "LPOP {v}none 2", "LPOP {v}l 2",
		"LMOVE {v}l {v}l2 LEFT RIGHT", "LMPOP 2 {v}none {v}l2 LEFT COUNT 2", "LMPOP 1 {v}none LEFT", "LINSERT {v}l2 BEFORE a b",
		"SADD {v}set 1 2 3", "SMEMBERS {v}set", "SISMEMBER {v}set 2", "SMISMEMBER {v}set 2 9", "SPOP {v}none", "SRANDMEMBER {v}none 3",
		"SINTER {v}set {v}none", "SINTERCARD 2 {v}set {v}set LIMIT 2", "SUNIONSTORE {v}set2 {v}set {v}none", "SSCAN {v}set 0",
		"ZADD {v}z 1 a 2.5 b 3 c", "ZADD {v}z NX 1 a", "ZADD {v}z INCR 1 a", "ZADD {v}z XX INCR 1 none", "ZSCORE {v}z b", "ZSCORE {v}z none", "ZMSCORE {v}z a none",
		"ZRANGE {v}z 0 -1", "ZRANGE {v}z 0 -1 WITHSCORES", "ZRANGEBYSCORE {v}z -inf +inf WITHSCORES LIMIT 1 1", "ZRANK {v}z b", "ZRANK {v}z none",
		"ZPOPMIN {v}z", "ZPOPMAX {v}none", "ZMPOP 1 {v}none MIN", "ZMPOP 1 {v}z MAX COUNT 1", "ZUNION 2 {v}z {v}set WITHSCORES", "ZINCRBY {v}z 1.5 b",
		"ZADD {v}inf inf a -inf b", "ZRANGE {v}inf 0 -1 WITHSCORES", "ZDIFF 2 {v}z {v}none", "ZRANDMEMBER {v}none",
		"XADD {v}st 1-1 f v", "XADD {v}st 1-1 f v", "XADD {v}st 1-2 f v g w", "XRANGE {v}st - +", "XREAD COUNT 1 STREAMS {v}st 0", "XREAD STREAMS {v}st $",
		"XLEN {v}st", "XINFO STREAM {v}st", "XINFO GROUPS {v}st", "XGROUP CREATE {v}st g 0", "XREADGROUP GROUP g c COUNT 1 STREAMS {v}st >", "XPENDING {v}st g",
		"XACK {v}st g 1-1", "XINFO STREAM {v}none", "XGROUP HELP", "XAUTOCLAIM {v}st g c 99999999 0",
		"GEOADD {v}geo 13.361389 38.115556 P 15.087269 37.502669 C", "GEOPOS {v}geo P none", "GEODIST {v}geo P C km", "GEOSEARCH {v}geo FROMMEMBER P BYRADIUS 200 km ASC WITHDIST WITHCOORD",
		"SETBIT {v}bits 7 1", "BITCOUNT {v}bits", "BITPOS {v}bits 1", "BITFIELD {v}bits SET u8 0 255 GET u4 0", "BITFIELD_RO {v}bits GET u8 0", "BITOP NOT {v}bits2 {v}bits",
		"PFADD {v}hll a b c", "PFCOUNT {v}hll {v}none", "PFMERGE {v}hll2 {v}hll",
		"OBJECT ENCODING {v}s", "OBJECT ENCODING {v}none", "OBJECT REFCOUNT {v}set", "OBJECT HELP", "MEMORY USAGE {v}none", "TYPE {v}z", "TYPE {v}none", "TTL {v}none",
		"PEXPIRE {v}s 100000000 NX", "EXPIREAT {v}s 99999999999", "EXPIRETIME {v}s", "PERSIST {v}s", "EXPIRE {v}s abc", "RENAME {v}s {v}s2", "RENAME {v}none {v}x", "RENAMENX {v}s2 {v}n",
		"COPY {v}s2 {v}s", "TOUCH {v}s {v}none", "SORT {v}set DESC", "SORT_RO {v}set LIMIT 0 1", "SORT {v}set STORE {v}sorted", "DUMP {v}none",
		"EVAL return{1,2.5,'x',false,{'n'}} 0", "EVAL return{KEYS[1],ARGV[1]} 1 {v}k a", "EVAL return{err='MY'} 0", "EVAL return{ok='FINE'} 0", "EVAL return{double=1.5} 0",
		"EVAL redis.setresp(3);return{map={a=1}} 0", "EVAL return{set={a=true}} 0", "EVAL return(1==1) 0", "EVAL nonsense( 0", "EVAL x -1", "EVAL x 9 {v}a", "EVAL x abc",
		"EVAL redis.setresp(3);return{big_number='123'} 0", "EVAL redis.setresp(3);return{verbatim_string={format='txt',string='x'}} 0",
		"EVAL return(redis.call('GET',KEYS[1])) 1 {v}n", "EVAL return(redis.call('INCR',KEYS[1])) 1 {v}h", "EVAL_RO return(redis.call('GET',KEYS[1])) 1 {v}n", "EVAL_RO return(redis.call('SET',KEYS[1],1)) 1 {v}n",
		"EVALSHA ffffffffffffffffffffffffffffffffffffffff 1 {v}k", "FCALL nosuch 0", "FCALL nosuch 1 {v}k",
		"LPUSH {v}s x", "ZADD {v}s 1 a", "ZADD {v}z x a", "HSET {v}h a", "SET {v}s", "SETEX {v}s 0 x", "GETRANGE {v}s a b", "XADD {v}s * a b", "ZUNION x {v}a", "LMPOP 0 {v}a LEFT", "ZUNION 3 {v}a {v}b",
		"BITFIELD {v}s GET u99 0", "SINTERCARD 0 {v}s", "XREAD STREAMS {v}a", "XREADGROUP GROUP g c STREAMS {v}st", "MSET {v}a 1 {v}b", "SET {v}s x EX 0", "SET {v}s x KEEPTTL EX 1",
		"DEL {v}s {v}s2 {v}none", "UNLINK {v}h {v}none", "EXISTS {v}z {v}z {v}none", "RESTORE {v}r 0 garbage", "LOLWUT VERSION 1 x", "WAIT", "SWAPDB", "PFCOUNT",
	}
	tw.inBothProtocols(t, lines)
	tw.flush(t)
	tw.alike(t, commands(lines...)+commands("HELLO 3")+commands(lines...)) // in one go
}

// TestSplitCommandsAreThoseOfRedis: keys in many slots, and merged replies.
func TestSplitCommandsAreThoseOfRedis(t *testing.T) {
	tw := startTwins(t)
	many := func(name string, n int, each string) string {
		var b strings.Builder
		b.WriteString(name)
		for i := range n {
			b.WriteString(" split:" + strings.Repeat("k", 1+i%40) + string(rune('a'+i%26)) + each)
		}
		return b.String()
	}
	lines := []string{
		"MSET a 1 b 2 c 3 d 4", "MGET a b c d e", "MGET a a b b", "EXISTS a b c d e a a", "TOUCH a b x", "DEL a b x", "UNLINK c d a", "MGET a b c d",
		"MSET a 1 a 2 b 1 a 3", "GET a", `MSET "" x a y`, `MGET "" a`, `DEL "" a`,
		"HSET hash f v", "MGET a hash b", "DEL hash a", "MSET {}a 1 {}b 2 }{c 3", "MGET {}a {}b }{c",
		many("MSET", 500, " value"), many("MGET", 500, ""), many("EXISTS", 600, ""), many("DEL", 300, ""), many("MGET", 10, ""),
	}
	tw.inBothProtocols(t, lines)
	rejecting := proxytest.Config{}
	rejecting.Dispatcher.RejectCrossSlot = true
	tw.proxy = start(t, rejecting)
	for _, line := range []string{"MGET a b", "DEL a b", "MSET a 1 b 2", "RENAME {a}x {b}y", "SINTER {a}x {b}y", "MSETNX {a}x 1 {b}y 2", "EVAL return 2 {a}x {b}y", "ZUNIONSTORE {c}z 2 {a}x {b}y",
		"XREAD STREAMS {a}x {b}y 0 0", "SMOVE {a}x {b}y m", "BITOP AND {c}x {a}x {b}y", "COPY {a}x {b}y", "PFCOUNT {a}x {b}y", "LMOVE {a}x {b}y LEFT LEFT"} {
		if got, want := converse(t, tw.proxy.Addr, commands(line)), "-CROSSSLOT Keys in request don't hash to the same slot\r\n"; got != want {
			t.Errorf("%s: %q, want %q", line, got, want)
		}
	}
}
