package scan

import "testing"

const nodesText = "aaaa 10.0.0.1:7000@17000,host1 myself,master - 0 0 3 connected 0-5 7 [3->-bbbb] [9-<-bbbb]\n" +
	"bbbb 10.0.0.2:7000@17000 master - 0 0 2 connected 8-16383\n" +
	"cccc 10.0.0.3:7000@17000 slave aaaa 0 0 3 connected\n"

func TestView(t *testing.T) {
	v, ok := parseView(nodesText)
	if !ok {
		t.Fatal("no view")
	}
	for slot, want := range map[int][3]bool{ // owns, stable, holds
		0: {true, true, true}, 3: {true, false, true}, 5: {true, true, true}, 6: {}, 7: {true, true, true}, 8: {}, 9: {false, false, true}, 16383: {},
	} {
		if got := [3]bool{v.owns(slot), v.stable(slot), v.holds(slot)}; got != want {
			t.Errorf("slot %d: %v, want %v", slot, got, want)
		}
	}
	if v.leaving[3] != "bbbb" || v.addrOf("bbbb") != "10.0.0.2:7000" || v.addrOf("dddd") != "" {
		t.Errorf("leaving %v, bbbb is at %q", v.leaving, v.addrOf("bbbb"))
	}
	if !v.assigned(0, 0) || !v.assigned(6, 7) || v.assigned(6, 6) || !v.assigned(16383, 16383) {
		t.Error("assigned is wrong")
	}
}

func TestViewOfOthers(t *testing.T) {
	if v, ok := parseView("cccc 10.0.0.3:7000@17000 myself,slave aaaa 0 0 3 connected 5\n"); !ok || v.owns(5) {
		t.Error("a replica owns a slot")
	}
	for _, text := range []string{"", "\n", "x", nodesText[len("aaaa 10.0.0.1:7000@17000,host1 myself"):]} {
		if _, ok := parseView(text); ok {
			t.Errorf("%q is a view", text)
		}
	}
}

// FuzzView: nothing that a node says makes it crash.
func FuzzView(f *testing.F) {
	f.Add(nodesText)
	f.Add("a b myself,master - 0 0 0 c 99999 5-3 [x->-y] [5->-] [] 7-7-7 -1\n")
	f.Fuzz(func(_ *testing.T, text string) {
		if v, ok := parseView(text); ok {
			_ = v.assigned(0, numSlots-1)
			_ = v.addrOf("a")
		}
	})
}

func TestIdentity(t *testing.T) {
	for info, slotted := range map[string]bool{
		"redis_version:7.0.15\r\nrun_id:x": false, "redis_version:7.2.4\r\nrun_id:x": false, "redis_version:7.4.0\r\nrun_id:x": true,
		"redis_version:8.0.1\r\nrun_id:x": true, "redis_version:255.255.255\r\nrun_id:x": true,
		"redis_version:7.2.4\r\nvalkey_version:8.0.1\r\nrun_id:x": true, "redis_version:7.2.4\r\nvalkey_version:7.2.6\r\nrun_id:x": false,
		"run_id:x": false,
	} {
		if id, ok := parseIdentity([]byte(info)); !ok || id.slotted != slotted {
			t.Errorf("%q: %+v, %t", info, id, ok)
		}
	}
	if _, ok := parseIdentity([]byte("redis_version:7.0.15\r\n")); ok {
		t.Error("an identity without a run id")
	}
}
