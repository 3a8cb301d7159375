package proxy

import (
	"testing"

	"redis-cluster-proxy/command"
)

// withoutCode are commands with a special policy that the proxy does not answer by code of its own, with the reason.
var withoutCode = map[string]string{
	"scan":      "it walks the primaries; refused as long as that is missing",
	"randomkey": "it weighs the primaries; refused as long as that is missing",
}

// TestSpecialPoliciesHaveCode: a command that the table says no general rule can merge is answered by code, or on the list
// above.
func TestSpecialPoliciesHaveCode(t *testing.T) {
	special := 0
	for row := range command.Builtin().Rows() {
		if row.Request != command.RequestSpecial && row.Response != command.ResponseSpecial {
			continue
		}
		special++
		coded := localCommands[row.Name] != nil
		if excused := withoutCode[row.Name] != ""; coded == excused {
			t.Errorf("%s: has code: %t, is excused: %t", row.Name, coded, excused)
		}
		if fansOut(row) {
			t.Errorf("%s is merged by a general rule", row.Name)
		}
	}
	if special < 10 {
		t.Errorf("only %d rows have a special policy", special)
	}
}
