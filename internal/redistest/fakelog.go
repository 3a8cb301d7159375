package redistest

import "slices"

// Execution is a write that a fake node has executed.
type Execution struct {
	Node *FakeNode
	Conn int // number of the connection, unique in the cluster
	Args []string
	Keys []string
	Tx   bool // it was part of a transaction
	DB   int
}

// Writes returns the executed writes that had key among their keys, in the order in which they were executed. Migration is
// no write.
func (c *FakeCluster) Writes(key string) []Execution {
	c.mu.Lock()
	defer c.mu.Unlock()
	var writes []Execution
	for _, e := range c.log {
		if slices.Contains(e.Keys, key) {
			writes = append(writes, e)
		}
	}
	return writes
}

// Log returns all executed writes in the order in which they were executed.
func (c *FakeCluster) Log() []Execution {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.log)
}

// Executed returns how many commands of that name (lower case) all nodes have executed, redirected and refused ones not
// counted; "" counts all commands that have keys.
func (c *FakeCluster) Executed(name string) int {
	sum := 0
	for _, n := range c.Nodes() {
		sum += n.Executed(name)
	}
	return sum
}

// Executed returns how many commands of that name (lower case) the node has executed, redirected and refused ones not
// counted; "" counts all commands that have keys.
func (n *FakeNode) Executed(name string) int {
	n.cluster.mu.Lock()
	defer n.cluster.mu.Unlock()
	return n.executed[name]
}

// Errors returns how many errors with that first word, e.g. "MOVED", the node has answered.
func (n *FakeNode) Errors(code string) int {
	n.cluster.mu.Lock()
	defer n.cluster.mu.Unlock()
	return n.errors[code]
}

// Errors returns how many errors with that first word, e.g. "MOVED", all nodes have answered.
func (c *FakeCluster) Errors(code string) int {
	sum := 0
	for _, n := range c.Nodes() {
		sum += n.Errors(code)
	}
	return sum
}
