package arch

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"testing/fstest"
)

// root is where go.mod is.
const root = "../.."

func TestTreeKeepsTheRules(t *testing.T) {
	mod, err := os.ReadFile(filepath.Join(root, "go.mod"))
	if err != nil || !strings.HasPrefix(string(mod), "module "+module+"\n") {
		t.Fatalf("%s is not the root of module %s (%v)", root, module, err)
	}
	violations, err := check(os.DirFS(root))
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range violations {
		t.Error(v)
	}
}

func TestRulesAreAboutDirectoriesThatExist(t *testing.T) {
	seen := map[string]bool{}
	for _, r := range rooms {
		if seen[r.dir] {
			t.Errorf("%s has two rules", r.dir)
		}
		seen[r.dir] = true
		for _, dir := range append([]string{r.dir}, r.own...) {
			if info, err := os.Stat(filepath.Join(root, dir)); err != nil || !info.IsDir() {
				t.Errorf("the rule of %s speaks of %s, which does not exist", r.dir, dir)
			}
		}
		if r.why == "" {
			t.Errorf("the rule of %s has no reason", r.dir)
		}
	}
}

// TestChecker gives the checker trees with one file each, and a doc.go where the case is not about it.
func TestChecker(t *testing.T) {
	const pkg = "package x\n"
	tests := []struct {
		name, file, source string
		violation          string // part of the only violation; empty: none
	}{
		{"standard library", "resp/a.go", pkg + `import "bytes"`, ""},
		{"own room", "resp/a.go", pkg + `import "redis-cluster-proxy/command"`, "resp must not import command"},
		{"not the directory below", "backend/a.go", pkg + `import "redis-cluster-proxy/resp/sub"`, "must not import resp/sub"},
		{"allowed own room", "backend/a.go", pkg + `import "redis-cluster-proxy/internal/netio"`, ""},
		{"upwards", "backend/a.go", pkg + `import "redis-cluster-proxy/dispatcher"`, "backend must not import dispatcher"},
		{"slots from proxy", "proxy/a.go", pkg + `import "redis-cluster-proxy/slots"`, "proxy must not import slots"},
		{"test servers in the product", "proxy/a.go", pkg + `import "redis-cluster-proxy/internal/redistest"`, "internal/redistest"},
		{"go-redis in slots", "slots/a.go", pkg + `import "github.com/redis/go-redis/v9"`, ""},
		{"go-redis below its root", "slots/a.go", pkg + `import "github.com/redis/go-redis/v9/maintnotifications"`, ""},
		{"go-redis with a like name", "slots/a.go", pkg + `import "github.com/redis/go-redis/v99"`, "v99"},
		{"go-redis elsewhere", "dispatcher/a.go", pkg + `import "github.com/redis/go-redis/v9"`, "must not import github.com/redis"},
		{"glog in resp", "resp/a.go", pkg + `import "github.com/golang/glog"`, "resp must not import github.com/golang/glog"},
		{"glog in admin", "admin/a.go", pkg + `import "github.com/golang/glog"`, "admin must not import"},
		{"metrics in metrics.go", "proxy/metrics.go", pkg + `import "github.com/prometheus/client_golang/prometheus"`, ""},
		{"metrics elsewhere", "proxy/a.go", pkg + `import "github.com/prometheus/client_golang/prometheus"`, "only in metrics.go"},
		{"metrics in admin", "admin/a.go", pkg + `import "github.com/prometheus/client_golang/prometheus"`, ""},
		{"cgo", "resp/a.go", pkg + `import "C"`, "resp must not import C"},
		{"no rule", "stray/a.go", pkg, "stray has no rule"},
		{"root", "a.go", pkg, ". has no rule"},
		{"in a test", "resp/a_test.go", pkg + `import "flag"; import "redis-cluster-proxy/proxy"`, ""},
		{"in testdata", "resp/testdata/a.go", pkg + `import "flag"`, ""},
		{"hidden", "resp/.git/a.go", pkg + `import "flag"`, ""},
		{"flag", "proxy/a.go", pkg + `import "flag"`, "must not import flag"},
		{"flag in cmd", "cmd/redis-cluster-proxy/a.go", pkg + `import "flag"`, ""},
		{"log", "proxy/a.go", pkg + `import "log"`, "must not import log"},
		{"log/slog", "proxy/a.go", pkg + `import "log/slog"`, ""},
		{"os.Exit", "proxy/a.go", pkg + "import \"os\"\nfunc f() { os.Exit(1) }", "proxy/a.go:3:12: os.Exit"},
		{"os.Exit renamed", "proxy/a.go", pkg + "import sys \"os\"\nfunc f() { sys.Exit(1) }", "sys.Exit"},
		{"os.Exit as a value", "proxy/a.go", pkg + "import \"os\"\nvar exit = os.Exit", "os.Exit"},
		{"glog with a dot", "proxy/a.go", pkg + "import . \"github.com/golang/glog\"\nfunc f() { Fatal() }", "in this way"},
		{"another Exit", "proxy/a.go", pkg + "func f(os T) { os.Exit(1) }", ""},
		{"os.Getenv", "internal/netio/a.go", pkg + "import \"os\"\nvar x = os.Getenv(\"X\")", "os.Getenv"},
		{"the rest of os", "internal/netio/a.go", pkg + "import \"os\"\nvar x = os.ErrClosed", ""},
		{"glog.Fatal", "proxy/a.go", pkg + "import \"github.com/golang/glog\"\nfunc f() { glog.Fatalf(\"\") }", "glog.Fatalf"},
		{"go literal", "proxy/a.go", pkg + "func f() { go func() {}() }", "proxy/a.go:2:12: go is followed"},
		{"go literal in brackets", "proxy/a.go", pkg + "func f() { go (func() {})() }", "go is followed"},
		{"go literal deep inside", "proxy/a.go", pkg + "var x = func() { for { go func(int) {}(1) } }", "go is followed"},
		{"go named", "proxy/a.go", pkg + "func f() { go f(); var x T; go x.y.run() }", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			tree := fstest.MapFS{tt.file: {Data: []byte(tt.source)}}
			dir := filepath.Dir(tt.file)
			if dir != "." && dir != "stray" {
				tree[dir+"/doc.go"] = &fstest.MapFile{Data: []byte("// Package x is documented.\npackage x\n")}
			}
			want := 0
			if tt.violation != "" {
				want = 1
			}
			if dir == "." || dir == "stray" {
				want++ // doc.go
			}
			got, err := check(tree)
			if err != nil {
				t.Fatal(err)
			}
			if len(got) != want || !strings.Contains(strings.Join(got, "\n"), tt.violation) {
				t.Errorf("violations:\n%s\nwant %d with %q", strings.Join(got, "\n"), want, tt.violation)
			}
		})
	}
}

func TestCheckerWantsDocs(t *testing.T) {
	for source, want := range map[string]int{
		"package resp\n":                        1,
		"// Package resp frames.\npackage resp": 0,
	} {
		got, err := check(fstest.MapFS{
			"resp/doc.go": {Data: []byte(source)},
			"resp/a.go":   {Data: []byte("// Package resp is not documented here.\npackage resp\n")},
		})
		if err != nil || len(got) != want {
			t.Errorf("doc.go %q: violations %q, %v, want %d", source, got, err, want)
		}
	}
}

func TestCheckerRefusesBrokenSource(t *testing.T) {
	if _, err := check(fstest.MapFS{"resp/a.go": {Data: []byte("package")}}); err == nil {
		t.Error("source that does not parse was accepted")
	}
}

// TestGoroutinesAreOnThePage: ARCHITECTURE.md names every goroutine that the product starts.
func TestGoroutinesAreOnThePage(t *testing.T) {
	page, err := os.ReadFile(filepath.Join(root, "ARCHITECTURE.md"))
	if err != nil {
		t.Fatal(err)
	}
	found := 0
	for _, r := range rooms {
		if strings.HasPrefix(r.dir, "internal/") && r.dir != "internal/netio" {
			continue
		}
		files, err := filepath.Glob(filepath.Join(root, r.dir, "*.go"))
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			if strings.HasSuffix(file, "_test.go") {
				continue
			}
			for _, name := range started(t, file) {
				found++
				if !regexp.MustCompile("\\b" + name + "`").Match(page) {
					t.Errorf("%s: 'go %s' starts a goroutine that the page does not tell of", file, name)
				}
			}
		}
	}
	if found < 20 {
		t.Errorf("only %d go statements were found", found)
	}
}

// started returns the names of what a file's go statements call.
func started(t *testing.T, file string) (names []string) {
	t.Helper()
	f, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	ast.Inspect(f, func(n ast.Node) bool {
		if s, ok := n.(*ast.GoStmt); ok {
			switch f := s.Call.Fun.(type) {
			case *ast.SelectorExpr:
				names = append(names, f.Sel.Name)
			case *ast.Ident:
				names = append(names, f.Name)
			}
		}
		return true
	})
	return names
}
