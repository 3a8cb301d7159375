package differ

import (
	"bytes"
	"fmt"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"redis-cluster-proxy/resp"
)

// ordering says which elements have no order of their own.
type ordering uint8

const (
	orderAll   ordering = iota // all have one
	orderTop                   // not those of the reply itself
	orderPairs                 // likewise, and two by two in a flat array
	orderNone                  // not those of any array within either
)

// comparison is how two replies are compared. The zero value is byte by byte.
type comparison struct {
	unordered ordering
	once      bool // an element that is there twice counts once
	shape     bool
	kind      bool // not even the shape
	near      float64
	masks     []*regexp.Regexp
}

// exact reports whether replies must be the same bytes.
func (c *comparison) exact() bool {
	return c.unordered == orderAll && !c.shape && !c.kind && c.near == 0 && c.masks == nil
}

// same reports whether the replies are alike.
func (c *comparison) same(got, want []byte) bool {
	if bytes.Equal(got, want) {
		return true
	}
	if c.exact() {
		return false
	}
	a, _, errA := resp.ReadValue(got)
	b, _, errB := resp.ReadValue(want)
	if errA != nil || errB != nil {
		return false
	}
	return c.sameValue(a, b)
}

func (c *comparison) sameValue(a, b resp.Value) bool {
	if c.near > 0 && !align(&a, &b, c.near) {
		return false
	}
	return c.render(a, 0) == c.render(b, 0)
}

// align reports whether the numbers in a and b are near each other, and makes them alike.
func align(a, b *resp.Value, by float64) bool {
	if len(a.Elems) != len(b.Elems) {
		return false
	}
	for i := range a.Elems {
		if !align(&a.Elems[i], &b.Elems[i], by) {
			return false
		}
	}
	x, errX := strconv.ParseFloat(a.Str, 64)
	y, errY := strconv.ParseFloat(b.Str, 64)
	if a.Kind != b.Kind || errX != nil || errY != nil {
		return true // for render to compare
	}
	a.Str, b.Str = "number", "number"
	return math.Abs(x-y) <= by
}

// render writes a value so that values which count as alike are written alike.
func (c *comparison) render(v resp.Value, depth int) string {
	var b strings.Builder
	if v.Attr != nil {
		b.WriteString(c.render(*v.Attr, depth+1))
	}
	b.WriteByte(v.Kind)
	if c.kind && v.Kind != '-' {
		return b.String()
	}
	if v.Null {
		return b.String() + "null"
	}
	switch v.Kind {
	case '*', '~', '>', '%', '|':
		elems := c.renderElems(v, depth)
		if !c.once {
			fmt.Fprintf(&b, "%d", len(v.Elems))
		}
		fmt.Fprintf(&b, "[%s]", strings.Join(elems, " "))
	case '-':
		b.WriteString(strconv.Quote(c.masked(v.Str)))
	default:
		b.WriteString(c.renderText(v))
	}
	return b.String()
}

// renderElems writes the elements, in an order of its own if they have none.
func (c *comparison) renderElems(v resp.Value, depth int) (elems []string) {
	together := 1
	if v.Kind == '%' || v.Kind == '|' || depth == 0 && c.unordered == orderPairs && v.Kind == '*' && !nested(v) {
		together = 2
	}
	for i := 0; i < len(v.Elems); i += together {
		text := c.render(v.Elems[i], depth+1)
		if together == 2 && i+1 < len(v.Elems) {
			text += "=" + c.render(v.Elems[i+1], depth+1)
		}
		elems = append(elems, text)
	}
	if c.unordered == orderNone || c.unordered != orderAll && depth == 0 {
		slices.Sort(elems)
	}
	if c.once {
		elems = slices.Compact(elems)
	}
	return elems
}

// nested reports whether the first element is an array: then pairs are arrays already.
func nested(v resp.Value) bool { return len(v.Elems) > 0 && v.Elems[0].Kind == '*' }

// renderText writes what is not an aggregate and no error.
func (c *comparison) renderText(v resp.Value) string {
	if !c.shape {
		return strconv.Quote(c.masked(v.Str)) + strconv.FormatBool(v.Bool)
	}
	switch {
	case v.Kind == ':' && v.Int == 0, v.Kind == ',' && v.Float == 0:
		return "0"
	case v.Kind == ':' && v.Int < 0, v.Kind == ',' && v.Float < 0:
		return "-"
	}
	return ""
}

func (c *comparison) masked(text string) string {
	for _, re := range c.masks {
		text = re.ReplaceAllString(text, "?")
	}
	return text
}
