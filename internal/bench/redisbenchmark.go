package main

import (
	"bytes"
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"net"
	"os/exec"
	"strconv"
	"strings"
	"time"
)

// benchmarkTimeout bounds one run of redis-benchmark: it never gives up by itself.
const benchmarkTimeout = 2 * time.Minute

// figures are what one run of redis-benchmark says.
type figures struct {
	perSecond float64
	p50, p99  time.Duration
}

// redisBenchmark runs redis-benchmark against a target. An error reply is an error.
func redisBenchmark(ctx context.Context, t target, args []string) (figures, error) {
	ctx, cancel := context.WithTimeout(ctx, benchmarkTimeout)
	defer cancel()
	host, port, err := net.SplitHostPort(t.addr)
	if err != nil {
		return figures{}, err
	}
	cmd := exec.CommandContext(ctx, "redis-benchmark", append([]string{"-h", host, "-p", port}, args...)...)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err = cmd.Run()
	if ctx.Err() != nil {
		err = ctx.Err()
	}
	var f figures
	if err == nil {
		f, err = parseFigures(stdout.String(), stderr.String())
	}
	if err != nil {
		return f, fmt.Errorf("%s: redis-benchmark %s: %w\n%s%s", t.name, strings.Join(args, " "), err, tail(stdout.String()), tail(stderr.String()))
	}
	return f, nil
}

// parseFigures reads what redis-benchmark --csv wrote. Its columns are found by name: later versions may add some.
func parseFigures(stdout, stderr string) (figures, error) {
	if strings.Contains(stdout, "Error from server") || strings.Contains(stderr, "Error from server") {
		return figures{}, errors.New("the target answered with an error")
	}
	header := strings.Index(stdout, `"test"`)
	if header < 0 {
		return figures{}, errors.New("no figures: is redis-benchmark older than 6.2?")
	}
	rows, err := csv.NewReader(strings.NewReader(stdout[header:])).ReadAll()
	if err != nil {
		return figures{}, err
	}
	if len(rows) != 2 {
		return figures{}, fmt.Errorf("%d rows of figures, want 1", len(rows)-1)
	}
	values := map[string]float64{}
	for i, name := range rows[0][1:] {
		if values[name], err = strconv.ParseFloat(rows[1][i+1], 64); err != nil {
			return figures{}, fmt.Errorf("column %s: %w", name, err)
		}
	}
	f := figures{
		perSecond: values["rps"],
		p50:       time.Duration(values["p50_latency_ms"] * float64(time.Millisecond)),
		p99:       time.Duration(values["p99_latency_ms"] * float64(time.Millisecond)),
	}
	if f.perSecond <= 0 || f.p50 <= 0 || f.p99 <= 0 {
		return f, errors.New("a figure is missing")
	}
	return f, nil
}

// tail returns the end of what a program wrote.
func tail(text string) string {
	const most = 1000
	return text[max(0, len(text)-most):]
}
