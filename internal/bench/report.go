package main

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
)

// spread is the median of a few values and what lies around it.
type spread struct{ median, least, most float64 }

func spreadOf(samples []sample, value func(sample) float64) spread {
	var values []float64
	for _, s := range samples {
		values = append(values, value(s))
	}
	slices.Sort(values)
	n := len(values)
	return spread{median: (values[(n-1)/2] + values[n/2]) / 2, least: values[0], most: values[n-1]}
}

// column is one kind of figure in a report.
type column struct {
	head   string
	value  func(sample) float64
	format func(float64) string
}

func milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

func decimals(n int) func(float64) string {
	return func(v float64) string { return fmt.Sprintf("%.*f", n, v) }
}

var loadColumns = []column{
	{"CPU µs/request", func(s sample) float64 { return float64(s.cpu) / float64(time.Microsecond) }, decimals(2)},
	{"requests/s", func(s sample) float64 { return s.perSecond }, decimals(0)},
	{"p50 ms", func(s sample) float64 { return milliseconds(s.p50) }, decimals(3)},
	{"p99 ms", func(s sample) float64 { return milliseconds(s.p99) }, decimals(3)},
}

var idleColumns = []column{
	{"KiB/idle client", func(s sample) float64 { return s.perIdle / 1024 }, decimals(2)},
}

var fanOutColumns = []column{
	{"CPU µs/message", func(s sample) float64 { return s.perMessage / float64(time.Microsecond) }, decimals(3)},
	{"messages/s", func(s sample) float64 { return s.perSecond }, decimals(0)},
	{"published", func(s sample) float64 { return float64(s.requests) }, decimals(0)},
}

// writeReport prints Markdown tables of the load cases, the cases PUBLISH and the idle case: medians, ranges in brackets, and the
// ratios to the baseline.
func writeReport(out io.Writer, baseline string, targets []target, results [][]result) error {
	var load, fanOut, idle [][]result
	for _, r := range results {
		switch {
		case r[0].benchCase.idle:
			idle = append(idle, r)
		case r[0].benchCase.publish:
			fanOut = append(fanOut, r)
		default:
			load = append(load, r)
		}
	}
	for _, part := range []struct {
		columns []column
		results [][]result
	}{{loadColumns, load}, {fanOutColumns, fanOut}, {idleColumns, idle}} {
		if len(part.results) == 0 {
			continue
		}
		rows := tableRows(part.columns, baseline, len(targets) > 1, part.results)
		if _, err := io.WriteString(out, "\n"+markdown(rows)); err != nil {
			return err
		}
	}
	return nil
}

func tableRows(columns []column, baseline string, ratios bool, results [][]result) [][]string {
	head := []string{"case", "target"}
	for _, col := range columns {
		head = append(head, col.head)
		if ratios {
			head = append(head, "/ "+baseline)
		}
	}
	rows := [][]string{head}
	for _, perCase := range results {
		base := perCase[slices.IndexFunc(perCase, func(r result) bool { return r.target.name == baseline })]
		for _, r := range perCase {
			row := []string{r.benchCase.name, r.target.name}
			for _, col := range columns {
				s := spreadOf(r.samples, col.value)
				cell := col.format(s.median)
				if len(r.samples) > 1 {
					cell += " (" + col.format(s.least) + "-" + col.format(s.most) + ")"
				}
				row = append(row, cell)
				if ratios {
					row = append(row, ratio(s.median, spreadOf(base.samples, col.value).median))
				}
			}
			rows = append(rows, row)
		}
	}
	return rows
}

func ratio(value, base float64) string {
	if base <= 0 {
		return "-"
	}
	return fmt.Sprintf("%.2f", value/base)
}

// markdown lays rows out as a table that can also be read as it is. The first row is the head.
func markdown(rows [][]string) string {
	widths := make([]int, len(rows[0]))
	for _, row := range rows {
		for i, cell := range row {
			widths[i] = max(widths[i], len([]rune(cell)))
		}
	}
	var b strings.Builder
	for n, row := range rows {
		for i, cell := range row {
			fmt.Fprintf(&b, "| %s%s ", cell, strings.Repeat(" ", widths[i]-len([]rune(cell))))
		}
		b.WriteString("|\n")
		if n == 0 {
			for _, w := range widths {
				b.WriteString("|" + strings.Repeat("-", w+2))
			}
			b.WriteString("|\n")
		}
	}
	return b.String()
}
