package resp

import (
	"errors"
	"math"
	"reflect"
	"strings"
	"testing"
)

func TestReadValue(t *testing.T) {
	one := Value{Kind: ':', Str: "1", Int: 1}
	two := Value{Kind: ':', Str: "2", Int: 2}
	a := Value{Kind: '+', Str: "a"}
	attr := &Value{Kind: '|', Elems: []Value{a, one}}
	withAttr := two
	withAttr.Attr = attr
	tests := []struct {
		reply string
		want  Value
	}{
		{"+OK\r\n", Value{Kind: '+', Str: "OK"}},
		{"-ERR x\r\n", Value{Kind: '-', Str: "ERR x"}},
		{":-12\r\n", Value{Kind: ':', Str: "-12", Int: -12}},
		{"$3\r\na\r\n\r\n", Value{Kind: '$', Str: "a\r\n"}},
		{"$0\r\n\r\n", Value{Kind: '$'}},
		{"$-1\r\n", Value{Kind: '$', Null: true}},
		{"*-1\r\n", Value{Kind: '*', Null: true}},
		{"_\r\n", Value{Kind: '_', Null: true}},
		{"*0\r\n", Value{Kind: '*'}},
		{"*2\r\n:1\r\n*1\r\n:2\r\n", Value{Kind: '*', Elems: []Value{one, {Kind: '*', Elems: []Value{two}}}}},
		{"%1\r\n+a\r\n:1\r\n", Value{Kind: '%', Elems: []Value{a, one}}},
		{"~1\r\n:1\r\n", Value{Kind: '~', Elems: []Value{one}}},
		{">2\r\n+a\r\n:1\r\n", Value{Kind: '>', Elems: []Value{a, one}}},
		{"#t\r\n", Value{Kind: '#', Bool: true}},
		{"#f\r\n", Value{Kind: '#'}},
		{",1.5\r\n", Value{Kind: ',', Str: "1.5", Float: 1.5}},
		{",inf\r\n", Value{Kind: ',', Str: "inf", Float: math.Inf(1)}},
		{",-inf\r\n", Value{Kind: ',', Str: "-inf", Float: math.Inf(-1)}},
		{"(123\r\n", Value{Kind: '(', Str: "123"}},
		{"=7\r\ntxt:abc\r\n", Value{Kind: '=', Str: "abc"}},
		{"=4\r\ntxt:\r\n", Value{Kind: '='}},
		{"!5\r\nERR x\r\n", Value{Kind: '!', Str: "ERR x"}},
		{"|1\r\n+a\r\n:1\r\n:2\r\n", withAttr},
		{"*2\r\n|1\r\n+a\r\n:1\r\n:2\r\n:1\r\n", Value{Kind: '*', Elems: []Value{withAttr, one}}},
	}
	for _, tt := range tests {
		got, n, err := ReadValue([]byte(tt.reply + "+tail\r\n"))
		if err != nil || n != len(tt.reply) || !reflect.DeepEqual(got, tt.want) {
			t.Errorf("ReadValue(%q) = %+v, %d, %v; want %+v, %d", tt.reply, got, n, err, tt.want, len(tt.reply))
		}
		for i := range tt.reply {
			if got, n, err := ReadValue([]byte(tt.reply[:i])); n != 0 || err != nil || !reflect.DeepEqual(got, Value{}) {
				t.Errorf("ReadValue(%q) = %+v, %d, %v; want incomplete", tt.reply[:i], got, n, err)
			}
		}
	}
	if got, _, err := ReadValue([]byte(",nan\r\n")); err != nil || !math.IsNaN(got.Float) {
		t.Errorf("nan: got %+v, %v", got, err)
	}
}

func TestReadValueErrors(t *testing.T) {
	for _, reply := range []string{
		":x\r\n", ":\r\n", ":9223372036854775808\r\n", ",x\r\n", "#x\r\n", "_x\r\n", "=3\r\nabc\r\n", "=4\r\nabcd\r\n",
		"*1\r\n:x\r\n", "|1\r\n:x\r\n:1\r\n:1\r\n", "|1\r\n:1\r\n:1\r\n:x\r\n", "?\r\n",
		strings.Repeat("*1\r\n", maxValueDepth+1) + ":1\r\n", strings.Repeat("|0\r\n", maxValueDepth+1) + ":1\r\n",
	} {
		got, n, err := ReadValue([]byte(reply))
		var perr *ProtocolError
		if !errors.As(err, &perr) || n != 0 || !reflect.DeepEqual(got, Value{}) {
			t.Errorf("ReadValue(%.40q) = %+v, %d, %v", reply, got, n, err)
		}
	}
	deep := strings.Repeat("*1\r\n", maxValueDepth) + ":1\r\n"
	if _, n, err := ReadValue([]byte(deep)); n != len(deep) || err != nil {
		t.Errorf("depth %d: got %d, %v", maxValueDepth, n, err)
	}
}
