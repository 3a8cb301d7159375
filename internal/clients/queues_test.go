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
