package proxy

import (
	"testing"

	"redis-cluster-proxy/command"
)

// TestSpecialPoliciesHaveCode: a command that the table says no general rule can merge is answered by code.
func TestSpecialPoliciesHaveCode(t *testing.T) {
	special := 0
	for row := range command.Builtin().Rows() {
		if row.Request != command.RequestSpecial && row.Response != command.ResponseSpecial {
			continue
		}
		special++
		if localCommands[row.Name] == nil {
			t.Errorf("%s has no code", row.Name)
		}
		if fansOut(row) {
			t.Errorf("%s is merged by a general rule", row.Name)
		}
	}
	if special < 10 {
		t.Errorf("only %d rows have a special policy", special)
	}
}
