package redistest

import (
	"regexp"
	"strings"
	"testing"
)

// connID is the connection's number in the reply to HELLO.
var connID = regexp.MustCompile("id\r\n:[0-9]+")

// TestFakeAnswersAsRedis sends the same lines to a real cluster and to a fake one: the same bytes must come back.
func TestFakeAnswersAsRedis(t *testing.T) {
	conversations := []string{
		"GET", "GET a b", "nosuch a b", "NOSUCH", "SET a b nonsense", "MSET a", "MSET {a}1 x {a}2",
		"SET a 1\nGET a\nSET a 2 NX\nSET a 2 XX GET\nSETNX a 3\nGETSET a 4\nAPPEND a 5\nINCR a\nINCRBY a x\nINCRBY a 5\nDECR a\nSTRLEN a\nTYPE a",
		"SET b x\nINCR b\nSET b 9223372036854775807\nINCR b\nGETDEL b\nGETDEL b\nTYPE b\nGET b",
		"MSET {c}1 x {c}2 y\nMGET {c}1 {c}2 {c}3\nEXISTS {c}1 {c}1 {c}3\nTOUCH {c}1\nDEL {c}1 {c}3\nUNLINK {c}2",
		"MGET c1 c2 c3", "DEL d1 d2",
		"MULTI\nSET e 1\nINCR e\nGET e\nEXEC", "MULTI\nMULTI\nDISCARD\nDISCARD", "EXEC", "MULTI\nNOSUCH\nEXEC", "MULTI\nGET\nEXEC", "MULTI\nEXEC",
		"MULTI\nMGET a1 a2 a3\nGET a\nEXEC", "WATCH f\nSET f 1\nMULTI\nGET f\nEXEC\nGET f", "WATCH f\nUNWATCH\nMULTI\nGET f\nEXEC", "MULTI\nWATCH f\nEXEC",
		"HELLO 3\nGET missing\nSET g 1 GET\nWATCH h\nSET h 1\nMULTI\nEXEC\nMGET g missing", "HELLO 4", "HELLO 3 nonsense", "HELLO 3 AUTH", "HELLO x",
		"AUTH x", "AUTH default x", "AUTH nobody x", "AUTH a b c", "SELECT 0", "SELECT 1", "PING", "PING x", "PING x y", "ECHO x",
		"CLIENT SETNAME n\nCLIENT GETNAME", "CLIENT NOSUCH", "CLUSTER NOSUCH", "CLUSTER KEYSLOT {x}y", "CLUSTER",
		"SET {k}1 x\nCLUSTER COUNTKEYSINSLOT 7629\nCLUSTER GETKEYSINSLOT 7629 10", "READONLY\nREADWRITE", "ASKING\nGET i", "RESET", "MULTI\nRESET\nEXEC",
		"CLUSTER COUNTKEYSINSLOT 16384", "FLUSHALL\nDBSIZE\nSET j 1\nDBSIZE\nKEYS *", "COMMAND INFO nosuch",
	}
	genuine := StartCluster(t, Primaries(3), Replicas(0))
	fake := StartFakeCluster(t, Primaries(3), Replicas(0))
	for _, lines := range conversations {
		text := strings.ReplaceAll(lines, "\n", "\r\n") + "\r\nQUIT\r\n"
		for i := range 3 {
			from, to := fake.Node(i).Addr, genuine.Node(i).Addr
			want := talk(t, to, text, 1<<16)
			got := talk(t, from, text, 1<<16)
			for j := range 3 {
				got = strings.ReplaceAll(got, fake.Node(j).Addr, genuine.Node(j).Addr)
			}
			got, want = connID.ReplaceAllString(got, "id"), connID.ReplaceAllString(want, "id")
			if got != want || want == "" {
				t.Errorf("%q to node %d: %q, want %q", lines, i, got, want)
				break
			}
		}
	}
}
