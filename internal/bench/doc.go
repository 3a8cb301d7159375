// Command bench compares programs that speak Redis, the proxy above all. It drives redis-benchmark, or a load of its own, against every target
// in turn, round after round, so that whatever else the machine does hits all of them alike, and takes each target's CPU
// time from /proc before and after. It prints, case by case, medians over the rounds with their ranges and the ratios to one
// of the targets, the baseline.
//
//	make bench                                                     its own cluster and the proxy in front of it
//	make bench BENCHFLAGS=-serve                                   keeps both running, to set other proxies up beside them
//	BENCH_TARGETS="ours=127.0.0.1:8088 predixy=127.0.0.1:7617" make bench
//	BENCH_TARGETS="ours=127.0.0.1:8088 redis=127.0.0.1:6379" make bench BENCHFLAGS="-cases PUBLISH"
//
// The second and third belong together: the first terminal holds the cluster, whose addresses -serve prints, other proxies
// are started in front of the same nodes, and the second terminal measures. The targets must run on this machine (Linux);
// all their processes are counted. Columns mean something only beside each other, from one run.
//
// A reply that is an error, or a target that does not answer, ends the run: a fast error is no result.
//
// Goroutines: one for each subscriber of the cases PUBLISH, and those of os/exec.
package main
