package arch

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path"
	"slices"
	"strconv"
	"strings"
)

// checker gathers the violations in a tree of Go source.
type checker struct {
	fset       *token.FileSet
	docs       map[string]bool // directories with code: whether doc.go says what the package is
	violations []string
}

// check returns the violations in the tree, in the order of its files.
func check(tree fs.FS) ([]string, error) {
	c := checker{fset: token.NewFileSet(), docs: map[string]bool{}}
	err := fs.WalkDir(tree, ".", func(name string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && name != "." && (d.Name() == "testdata" || strings.ContainsRune("._", rune(d.Name()[0]))):
			return fs.SkipDir // as the go command does
		case d.IsDir() || path.Ext(name) != ".go" || strings.HasSuffix(name, "_test.go"):
			return nil
		}
		source, err := fs.ReadFile(tree, name)
		if err != nil {
			return err
		}
		return c.file(name, source)
	})
	for dir, documented := range c.docs {
		if !documented {
			c.report(dir, "a package has a doc.go that says what it does", "%s has none", dir)
		}
	}
	slices.Sort(c.violations)
	return c.violations, err
}

func (c *checker) report(where, why, format string, args ...any) {
	c.violations = append(c.violations, fmt.Sprintf("%s: %s\n\twhy not: %s", where, fmt.Sprintf(format, args...), why))
}

// file checks one file that is no test.
func (c *checker) file(name string, source []byte) error {
	f, err := parser.ParseFile(c.fset, name, source, parser.ParseComments|parser.SkipObjectResolution)
	if err != nil {
		return err
	}
	dir := path.Dir(name)
	c.docs[dir] = c.docs[dir] || path.Base(name) == "doc.go" && f.Doc != nil
	i := slices.IndexFunc(rooms, func(r room) bool { return r.dir == dir })
	if i < 0 {
		c.report(name, "what a room may import is decided before it is built", "%s has no rule in rules_test.go", dir)
		return nil
	}
	for _, spec := range f.Imports {
		imported, err := strconv.Unquote(spec.Path.Value)
		if err != nil {
			return err
		}
		c.importRules(name, rooms[i], imported)
	}
	c.names(name, f)
	c.goStatements(f)
	return nil
}

// importRules checks one import of a file.
func (c *checker) importRules(name string, r room, imported string) {
	if own, found := strings.CutPrefix(imported, module+"/"); found {
		if !slices.Contains(r.own, own) {
			c.report(name, r.why, "%s must not import %s", r.dir, own)
		}
		return
	}
	if first, _, _ := strings.Cut(imported, "/"); !strings.Contains(first, ".") && imported != "C" {
		return // the standard library: its paths have no dot in the first element
	}
	if !slices.ContainsFunc(r.others, func(allowed string) bool { return within(imported, allowed) }) {
		c.report(name, r.why, "%s must not import %s", r.dir, imported)
	}
	for _, rule := range fileRules {
		if within(imported, rule.path) && !slices.Contains(rule.exempt, r.dir) && !slices.Contains(rule.files, path.Base(name)) {
			c.report(name, rule.why, "%s is imported only in %s", imported, strings.Join(rule.files, ", "))
		}
	}
}

func within(imported, p string) bool { return imported == p || strings.HasPrefix(imported, p+"/") }

// names checks the uses of names that only some directories may use.
func (c *checker) names(name string, f *ast.File) {
	dir := path.Dir(name)
	for _, rule := range nameRules {
		if slices.Contains(rule.allowed, dir) {
			continue
		}
		for _, spec := range f.Imports {
			if spec.Path.Value != strconv.Quote(rule.path) {
				continue
			}
			local := path.Base(rule.path)
			if spec.Name != nil {
				local = spec.Name.Name
			}
			if rule.names == nil || local == "." {
				c.report(name, rule.why, "%s must not import %s in this way", dir, rule.path)
				continue
			}
			c.uses(f, local, rule.names, rule.why)
		}
	}
}

// uses reports the places where f says local.name for one of the names.
func (c *checker) uses(f *ast.File, local string, names []string, why string) {
	ast.Inspect(f, func(n ast.Node) bool {
		sel, ok := n.(*ast.SelectorExpr)
		if !ok {
			return true
		}
		if x, ok := sel.X.(*ast.Ident); ok && x.Name == local && slices.Contains(names, sel.Sel.Name) {
			c.report(c.fset.Position(sel.Pos()).String(), why, "%s.%s is not allowed here", local, sel.Sel.Name)
		}
		return true
	})
}

// goStatements reports goroutines without a name.
func (c *checker) goStatements(f *ast.File) {
	ast.Inspect(f, func(n ast.Node) bool {
		g, ok := n.(*ast.GoStmt)
		if !ok {
			return true
		}
		if _, literal := ast.Unparen(g.Call.Fun).(*ast.FuncLit); literal {
			c.report(c.fset.Position(g.Pos()).String(),
				"a goroutine's name stands in every stack trace, and its comment says what it owns and when it ends",
				"go is followed by the call of a named function, never by a literal")
		}
		return true
	})
}
