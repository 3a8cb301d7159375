package slots

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/redis/go-redis/v9"
)

// Commands returns the reply of COMMAND of any living node in generic values: []any, string, int64, nil.
func (c *Cluster) Commands(ctx context.Context) (any, error) { return c.query(ctx, "COMMAND") }

// Version returns what any living node runs: "redis 7.0.15", "valkey 8.1.0".
func (c *Cluster) Version(ctx context.Context) (string, error) {
	reply, err := c.query(ctx, "INFO", "server")
	if err != nil {
		return "", err
	}
	text, _ := reply.(string)
	return parseVersion(text)
}

// Modules returns what any living node says of its modules in its reply to HELLO, in generic values: for each a list of names and
// values in turn. Servers without HELLO have none.
func (c *Cluster) Modules(ctx context.Context) ([]any, error) {
	reply, err := c.query(ctx, "HELLO")
	if err != nil {
		return nil, err
	}
	list, _ := reply.([]any)
	for i := 0; i+1 < len(list); i += 2 {
		if list[i] == "modules" {
			modules, _ := list[i+1].([]any)
			return modules, nil
		}
	}
	return nil, nil
}

// Databases returns how many databases each node has, as any living node tells by the setting that Valkey 9 has for it; without
// the setting there is one.
func (c *Cluster) Databases(ctx context.Context) (int, error) {
	const setting = "cluster-databases"
	reply, err := c.query(ctx, "CONFIG", "GET", setting)
	if err != nil {
		return 0, err
	}
	switch v := reply.(type) {
	case []any:
		if len(v) == 2 {
			return strconv.Atoi(fmt.Sprint(v[1]))
		}
	case map[any]any:
		if n := v[setting]; n != nil {
			return strconv.Atoi(fmt.Sprint(n))
		}
	}
	return 1, nil
}

// parseVersion reads INFO. Valkey says redis_version too, which there is the version of Redis it is compatible with.
func parseVersion(info string) (string, error) {
	fields := map[string]string{}
	for line := range strings.Lines(info) {
		if name, value, ok := strings.Cut(strings.TrimRight(line, "\r\n"), ":"); ok {
			fields[name] = value
		}
	}
	for _, name := range []string{"valkey", "redis"} {
		if v := fields[name+"_version"]; v != "" {
			return name + " " + v, nil
		}
	}
	return "", errors.New("INFO names no version")
}

// CommandGetKeys returns the keys of a command (name and arguments) as COMMAND GETKEYS of any living node finds them. What the
// server says against the command is a ServerError in its words.
func (c *Cluster) CommandGetKeys(ctx context.Context, args [][]byte) ([]string, error) {
	question := make([]any, 0, 2+len(args))
	question = append(question, "COMMAND", "GETKEYS")
	for _, arg := range args {
		question = append(question, arg)
	}
	reply, err := c.query(ctx, question...)
	if err != nil {
		return nil, err
	}
	list, ok := reply.([]any)
	if !ok {
		return nil, fmt.Errorf("COMMAND GETKEYS: reply is %T, not an array", reply)
	}
	keys := make([]string, len(list))
	for i, v := range list {
		if keys[i], ok = v.(string); !ok {
			return nil, fmt.Errorf("COMMAND GETKEYS: key %d is %T, not a string", i, v)
		}
	}
	return keys, nil
}

// query asks one node after the other until one is able to answer.
func (c *Cluster) query(ctx context.Context, args ...any) (any, error) {
	err := errors.New("no address is known")
	for _, addr := range c.candidates() {
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		var node *nodeClient
		if node, err = c.node(addr); err != nil {
			return nil, err
		}
		cmd := redis.NewCmd(ctx, args...)
		if err = node.do(ctx, cmd); err != nil {
			continue
		}
		v, replyErr := result(cmd)
		var reply ServerError
		if !errors.As(replyErr, &reply) || !transient(reply) {
			return v, replyErr
		}
		err = fmt.Errorf("%s: %w", addr, replyErr)
	}
	return nil, fmt.Errorf("%w: %w", ErrUnreachable, err)
}

// transient reports whether another node may answer where this one did not.
func transient(e ServerError) bool {
	for _, prefix := range []string{"LOADING ", "MASTERDOWN ", "CLUSTERDOWN ", "BUSY ", "NOAUTH ", "NOPERM ", "WRONGPASS "} {
		if strings.HasPrefix(string(e), prefix) {
			return true
		}
	}
	return false
}
