package clients

import "testing"

// Job queues, as their users run them: a program that enqueues and asks, and workers that are processes of their own. Each
// counts what it does: no job is lost, and none is done twice. docs/software.md says what has to be set.

func TestBullMQ(t *testing.T) {
	did := []string{
		"counted", "delayed", "priorities", "repeated", "retried", "flows", "paused", "limited", "stalled", "closed", "untagged",
	}
	both(t, false, func(t *testing.T, at target) { runNode(t, at, did, "bullmq.js", "standalone", 2) })
}

func TestRQ(t *testing.T) {
	python, _ := pythonWith(t, "rq", "redis")
	both(t, true, func(t *testing.T, at target) {
		runProgram(t, []string{"bursts", "failed", "dependent", "waiting", "scheduled"},
			python, "testdata/python/rq_queues.py", at.addr, prefix(t), at.name())
	})
}

func TestCelery(t *testing.T) {
	python, _ := pythonWith(t, "celery", "redis")
	both(t, true, func(t *testing.T, at target) {
		runProgram(t, []string{"worked", "composed", "controlled", "waited"},
			python, "testdata/python/celery_queues.py", at.addr, prefix(t), at.name())
	})
}

func TestSidekiq(t *testing.T) {
	both(t, true, func(t *testing.T, at target) {
		runProgram(t, []string{"enqueued", "worked", "scheduled", "retried", "stopped", "counted"},
			"ruby", "testdata/ruby/sidekiq_queues.rb", at.addr, prefix(t), at.name())
	})
}
