package main

import (
	"context"
	"fmt"
	"io"
	"time"
)

// sample is one turn of one target at one case.
type sample struct {
	cpu        time.Duration // per request
	figures                  // of redis-benchmark
	perIdle    float64       // bytes per client, of the case idle only
	perMessage float64       // CPU time per message that a subscriber got, ns, of the cases PUBLISH only
	requests   int
}

// result is all turns of one target at one case.
type result struct {
	benchCase benchCase
	target    target
	samples   []sample
}

// runner measures targets.
type runner struct {
	// Set at construction.
	opts     options
	baseline string
	progress io.Writer
}

func newRunner(opts options, progress io.Writer) (*runner, error) {
	r := &runner{opts: opts, baseline: opts.baseline, progress: progress}
	if r.baseline == "" {
		r.baseline = opts.targets[min(1, len(opts.targets)-1)].name
	}
	for _, t := range opts.targets {
		if t.name == r.baseline {
			return r, nil
		}
	}
	return nil, fmt.Errorf("the baseline %q is none of the targets", r.baseline)
}

// run measures all cases, one after the other.
func (r *runner) run(ctx context.Context) ([][]result, error) {
	for _, t := range r.opts.targets {
		if err := t.check(ctx); err != nil {
			return nil, err
		}
		if _, err := findProcesses(t.addr); err != nil {
			return nil, fmt.Errorf("%s: %w", t.name, err)
		}
	}
	var all [][]result
	for _, c := range r.opts.cases {
		fmt.Fprintf(r.progress, "%s ", c.name)
		results, err := r.runCase(ctx, c)
		fmt.Fprintln(r.progress)
		if err != nil {
			return nil, fmt.Errorf("case %s: %w", c.name, err)
		}
		all = append(all, results)
	}
	return all, nil
}

// runCase lets the targets take turns.
func (r *runner) runCase(ctx context.Context, c benchCase) ([]result, error) {
	var results []result
	for _, t := range r.opts.targets {
		results = append(results, result{benchCase: c, target: t})
	}
	rounds := r.opts.rounds
	if c.idle {
		rounds = 1 // memory that a process has got once it keeps, so a second round would show nothing
	}
	requests := make([]int, len(results))
	for i, t := range r.opts.targets {
		var err error
		if requests[i], err = r.prepare(ctx, t, c); err != nil {
			return nil, err
		}
	}
	for range rounds {
		for i := range results {
			s, err := r.turn(ctx, results[i].target, c, requests[i])
			if err != nil {
				return nil, err
			}
			results[i].samples = append(results[i].samples, s)
			fmt.Fprint(r.progress, ".")
		}
	}
	return results, nil
}

// prepare warms the target up, leaves values to read, and returns how many requests fill a turn.
func (r *runner) prepare(ctx context.Context, t target, c benchCase) (int, error) {
	if c.idle || c.publish {
		return 0, nil
	}
	if c.reads() {
		if _, err := redisBenchmark(ctx, t, c.fillArgs()); err != nil {
			return 0, err
		}
	}
	// Twice: the first run is too short to tell how fast a fast target is.
	requests := max(1000, c.leastRequests())
	if c.size > 100<<10 {
		requests = c.leastRequests()
	}
	for _, d := range []time.Duration{r.opts.duration / 5, r.opts.duration} {
		f, err := redisBenchmark(ctx, t, c.args(requests))
		if err != nil {
			return 0, err
		}
		requests = max(c.leastRequests(), int(f.perSecond*d.Seconds()))
	}
	return requests, nil
}

// turn measures one target once.
func (r *runner) turn(ctx context.Context, t target, c benchCase, requests int) (sample, error) {
	if err := t.check(ctx); err != nil {
		return sample{}, err
	}
	pids, err := findProcesses(t.addr)
	if err != nil {
		return sample{}, err
	}
	if c.idle {
		perIdle, err := idleMemory(ctx, t, pids, r.opts.idleClients, c.blocked)
		return sample{perIdle: perIdle}, err
	}
	if c.publish {
		return fanOut(ctx, t, pids, c, &r.opts)
	}
	before, err := cpuTime(pids)
	if err != nil {
		return sample{}, err
	}
	f, err := redisBenchmark(ctx, t, c.args(requests))
	if err != nil {
		return sample{}, err
	}
	after, err := cpuTime(pids)
	if err != nil {
		return sample{}, err
	}
	return sample{cpu: (after - before) / time.Duration(requests), figures: f, requests: requests}, nil
}
