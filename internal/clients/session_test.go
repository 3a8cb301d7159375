package clients

import (
	"fmt"
	"os/exec"
	"path/filepath"
	"testing"
)

// What the programs for what belongs to a session assert: transactions, blocking commands, Pub/Sub.

func TestIORedisSession(t *testing.T) {
	did := []string{"transactions", "watch", "blocking", "queues", "groups", "pubsub"}
	perMode(t, func(t *testing.T, at target, mode string) {
		if mode == "standalone" {
			runNode(t, at, append(did[:6:6], "reconnected"), "ioredis_session.js", mode, 2)
		} else {
			runNode(t, at, did, "ioredis_session.js", mode, 2)
		}
	})
}

func TestNodeRedisSession(t *testing.T) {
	did := []string{"transactions", "watch", "blocking", "queues", "pubsub", "sharded", "reconnected"}
	for protocol, did := range map[int][]string{2: did, 3: append(did[:7:7], "cached")} {
		t.Run(fmt.Sprint(protocol), func(t *testing.T) {
			both(t, false, func(t *testing.T, at target) { runNode(t, at, did, "noderedis_session.js", "standalone", protocol) })
		})
	}
}

func TestRedisPySession(t *testing.T) {
	python, _ := pythonWith(t, "redis")
	did := []string{"transactions", "watch", "locks", "blocking", "queues", "groups", "pubsub", "threads", "reconnected"}
	both(t, false, func(t *testing.T, at target) {
		runProgram(t, did, python, "testdata/python/redispy_session.py", at.addr, prefix(t), at.name())
	})
}

func TestRedisRb(t *testing.T) {
	both(t, false, func(t *testing.T, at target) {
		runProgram(t, []string{"transactions", "blocking", "queues", "pubsub"}, "ruby", "testdata/ruby/redisrb.rb", at.addr, prefix(t), at.name())
	})
}

func TestPHPRedis(t *testing.T) {
	did := []string{"commands", "scans", "transactions", "blocking", "queues", "pubsub", "sessions"}
	both(t, false, func(t *testing.T, at target) {
		runProgram(t, did, "php", "testdata/php/phpredis.php", at.addr, prefix(t), at.name())
	})
}

func TestHiredis(t *testing.T) {
	program := filepath.Join(t.TempDir(), "hiredis")
	build := exec.CommandContext(testContext(t), "gcc", "-Wall", "-Wextra", "-Werror", "-o", program, "testdata/c/hiredis.c", "-lhiredis")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", build, err, out)
	}
	both(t, false, func(t *testing.T, at target) {
		runProgram(t, []string{"commands", "pipelines", "transactions", "blocking", "pubsub"}, program, at.addr, prefix(t), at.name())
	})
}
