package proxy

import (
	"net"
	"slices"
	"strconv"
	"strings"
)

// nodeInfo is the INFO of one node.
type nodeInfo struct {
	addr string
	text infoText
}

// infoValue is a field's value at one node.
type infoValue struct {
	host string
	text string
}

// infoRule makes one value of those that the nodes have, of which there is at
// least one. It returns dropped for a field that is to be left out.
type infoRule func(values []infoValue) string

// dropped is no value of a field.
const dropped = "\x00"

// mergeInfo makes one INFO of those of several nodes: the sections and fields of
// the first, in its order, and behind them those that only others have.
func mergeInfo(nodes []nodeInfo) infoText {
	var merged infoText
	for _, n := range nodes {
		for _, section := range n.text {
			if merged.section(section.name) == nil {
				merged = append(merged, infoSection{section.name, mergeSection(section.name, nodes)})
			}
		}
	}
	return merged
}

func mergeSection(name string, nodes []nodeInfo) (fields []infoField) {
	if strings.EqualFold(name, "modules") { // one field's name over and over
		return nodes[0].text.section(name).fieldsOrNone()
	}
	var names []string
	values := make(map[string][]infoValue)
	for _, n := range nodes {
		host, _, _ := net.SplitHostPort(n.addr)
		for _, f := range n.text.section(name).fieldsOrNone() {
			if values[f.name] == nil {
				names = append(names, f.name)
			}
			values[f.name] = append(values[f.name], infoValue{host, f.value})
		}
	}
	for _, field := range names {
		if value := ruleFor(name, field)(values[field]); value != dropped {
			fields = append(fields, infoField{field, value})
		}
	}
	return fields
}

func (s *infoSection) fieldsOrNone() []infoField {
	if s == nil {
		return nil
	}
	return s.fields
}

// ruleFor returns the rule for a field: its own, its section's, or else the one
// for what nobody has thought of.
func ruleFor(section, field string) infoRule {
	if rule := fieldRules[field]; rule != nil {
		return rule
	}
	for _, p := range prefixRules {
		if rest, ok := strings.CutPrefix(field, p.prefix); ok && isDigits(rest) {
			return p.rule
		}
	}
	if rule := sectionRules[strings.ToLower(section)]; rule != nil {
		return rule
	}
	return addUp
}

func isDigits(text string) bool {
	return text != "" && strings.Trim(text, "0123456789") == ""
}

// same takes the first node's word for it.
func same(values []infoValue) string { return values[0].text }

func drop([]infoValue) string { return dropped }

// addUp adds numbers up, also those of a list of them; what is no number is the
// first node's.
func addUp(values []infoValue) string {
	if pairs := splitPairs(values[0].text); pairs != nil {
		return eachPair(values, addUp)
	}
	texts := make([]string, len(values))
	for i, v := range values {
		texts[i] = v.text
	}
	if sum, ok := sumOf(texts); ok {
		return sum
	}
	return values[0].text
}

// sumOf adds numbers up. The sum has as many decimals as any of them.
func sumOf(texts []string) (sum string, ok bool) {
	var whole int64
	var real float64
	decimals, isReal := 0, false
	for _, text := range texts {
		_, fraction, _ := strings.Cut(text, ".")
		decimals = max(decimals, len(fraction))
		f, err := strconv.ParseFloat(text, 64)
		if err != nil {
			return "", false
		}
		real += f
		n, err := strconv.ParseInt(text, 10, 64)
		isReal = isReal || err != nil
		whole += n
	}
	if isReal {
		return strconv.FormatFloat(real, 'f', decimals, 64), true
	}
	return strconv.FormatInt(whole, 10), true
}

// largest is the greatest number.
func largest(values []infoValue) string { return extreme(values, 1) }

// smallest is the least number.
func smallest(values []infoValue) string { return extreme(values, -1) }

func extreme(values []infoValue, sign float64) string {
	best := values[0].text
	for _, v := range values[1:] {
		if sign*number(v.text) > sign*number(best) {
			best = v.text
		}
	}
	return best
}

// number reads a number, with or without a percent sign; 0 if it is none.
func number(text string) float64 {
	f, _ := strconv.ParseFloat(strings.TrimSuffix(text, "%"), 64)
	return f
}

// worst is the first status that is not ok.
func worst(values []infoValue) string {
	for _, v := range values {
		if v.text != "ok" {
			return v.text
		}
	}
	return "ok"
}

// addUpLimits adds limits up, of which 0 is none.
func addUpLimits(values []infoValue) string {
	if slices.ContainsFunc(values, func(v infoValue) bool { return v.text == "0" }) {
		return "0"
	}
	return addUp(values)
}

// addUpHosts adds up what the nodes of one host have in common.
func addUpHosts(values []infoValue) string {
	byHost := make(map[string][]infoValue)
	for _, v := range values {
		byHost[v.host] = append(byHost[v.host], v)
	}
	hosts := make([]infoValue, 0, len(byHost))
	for _, of := range byHost {
		hosts = append(hosts, infoValue{text: largest(of)})
	}
	return addUp(hosts)
}

// eachPair applies a rule to each part of values like "p50=1.003,p99=4.015".
func eachPair(values []infoValue, rule infoRule) string {
	var order []string
	parts := make(map[string][]infoValue)
	for _, v := range values {
		for _, p := range splitPairs(v.text) {
			if parts[p.name] == nil {
				order = append(order, p.name)
			}
			parts[p.name] = append(parts[p.name], infoValue{v.host, p.value})
		}
	}
	pairs := make([]infoPair, len(order))
	for i, name := range order {
		pairs[i] = infoPair{name, rule(parts[name])}
	}
	return joinPairs(pairs)
}

func largestOfEach(values []infoValue) string { return eachPair(values, largest) }

// commandStat adds calls and times up; the time per call follows from them.
func commandStat(values []infoValue) string {
	pairs := splitPairs(addUp(values))
	calls, usec := 0.0, 0.0
	for i := range pairs {
		switch pairs[i].name {
		case "calls":
			calls = number(pairs[i].value)
		case "usec":
			usec = number(pairs[i].value)
		case "usec_per_call":
			pairs[i].value = strconv.FormatFloat(ratio(usec, calls), 'f', 2, 64)
		}
	}
	return joinPairs(pairs)
}

// keyspace adds keys up; the mean time to live is that of all that have one.
func keyspace(values []infoValue) string {
	weighted, expires := 0.0, 0.0
	for _, v := range values {
		ttl, n := 0.0, 0.0
		for _, p := range splitPairs(v.text) {
			switch p.name {
			case "expires":
				n = number(p.value)
			case "avg_ttl":
				ttl = number(p.value)
			}
		}
		weighted += ttl * n
		expires += n
	}
	pairs := splitPairs(addUp(values))
	for i := range pairs {
		if pairs[i].name == "avg_ttl" {
			pairs[i].value = strconv.FormatInt(int64(ratio(weighted, expires)), 10)
		}
	}
	return joinPairs(pairs)
}

// ratio is a/b, 0 if b is.
func ratio(a, b float64) float64 {
	if b == 0 {
		return 0
	}
	return a / b
}
