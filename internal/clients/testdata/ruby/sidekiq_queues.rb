# Sidekiq, as its users run it: the program that enqueues, and processes of the command line. See families.rb.

require_relative "families"
require_relative "sidekiq_jobs"
require "sidekiq/api"

def redis(&block) = Sidekiq.redis(&block)

QUEUES = %w[critical default low].map { |name| key(name) } # in several slots

# start runs a process that ends with this one, whatever it ends of.
def start(*options)
  queues = QUEUES.each_with_index.flat_map { |q, i| ["--queue", "#{q},#{3 - i}"] }
  spawn("setpriv", "--pdeathsig", "KILL", "sidekiq", "--require", File.join(__dir__, "sidekiq_jobs.rb"), *queues, *options)
end

# stop ends processes and returns their statuses. One signal each: this version stumbles over two that come together.
def stop(*pids)
  pids.each { |pid| Process.kill("TERM", pid) }
  pids.map { |pid| Process.wait2(pid)[1].exitstatus }
end

# processes is how many work on these queues. One that has signed off may still be listed as stopping, for a minute: its
# heartbeat goes on until it is gone.
def processes = Sidekiq::ProcessSet.new.count { |process| process["queues"].include?(QUEUES[0]) && !process.stopping? }

def done(list) = redis { |r| r.lrange(list, 0, -1) }.map(&:to_i).sort

[Sidekiq::ScheduledSet, Sidekiq::RetrySet, Sidekiq::DeadSet].each { |set| set.new.clear } # of runs before
failed = Sidekiq::Stats.new.failed
processed = Sidekiq::Stats.new.processed

family "enqueued" do
  40.times { |i| CountJob.set(queue: QUEUES[i % 3]).perform_async(key("counted"), i) }
  Sidekiq::Client.push_bulk("class" => CountJob, "queue" => QUEUES[0], "args" => (40...200).map { |i| [key("counted"), i] })
  same QUEUES.sum { |q| Sidekiq::Queue.new(q).size }, 200
  gone = CountJob.set(queue: QUEUES[2]).perform_async(key("counted"), -1)
  same Sidekiq::Queue.new(QUEUES[2]).find_job(gone).args, [key("counted"), -1]
  Sidekiq::Queue.new(QUEUES[2]).find_job(gone).delete
end

first, second = start("--concurrency", "5"), start("--concurrency", "5")

family "worked" do
  eventually("200 jobs are done") { done(key("counted")).size >= 200 }
  100.times { |i| CountJob.set(queue: QUEUES[i % 3]).perform_async(key("counted"), 200 + i) } # while they wait
  eventually("300 jobs are done") { done(key("counted")).size >= 300 }
  same done(key("counted")), (0...300).to_a # each once
  eventually("two processes are there") { processes == 2 }
end

family "scheduled" do
  3.times { |i| CountJob.set(queue: QUEUES[1]).perform_in(3600, key("scheduled"), i + 1) }
  same Sidekiq::ScheduledSet.new.size, 3
  Sidekiq::ScheduledSet.new.each { |job| job.reschedule(Time.now + 0.5) if job.args[1] < 3 }
  eventually("both are done") { done(key("scheduled")) == [1, 2] }
  same Sidekiq::ScheduledSet.new.map(&:args), [[key("scheduled"), 3]]
  Sidekiq::ScheduledSet.new.first.reschedule(Time.now - 1)
  eventually("the third is done") { done(key("scheduled")) == [1, 2, 3] }
end

family "retried" do
  FlakyJob.set(queue: QUEUES[1]).perform_async(key("flaky"))
  HopelessJob.set(queue: QUEUES[1]).perform_async
  eventually("one is dead") { Sidekiq::DeadSet.new.size == 1 }
  same Sidekiq::DeadSet.new.first.item["error_message"], "no use"
  eventually("the other is done at last") do
    Sidekiq::RetrySet.new.retry_all # now, not in a quarter of a minute
    redis { |r| r.get(key("flaky")) }.to_i >= 3 && Sidekiq::RetrySet.new.size.zero?
  end
  same redis { |r| r.get(key("flaky")) }, "3"
end

family "stopped" do
  100.times { |i| SlowJob.set(queue: QUEUES[i % 3]).perform_async(key("slow"), i) }
  eventually("some are done") { !done(key("slow")).empty? }
  same stop(first, second), [0, 0] # what they work on is finished
  left = QUEUES.sum { |q| Sidekiq::Queue.new(q).size }
  raise "nothing is left" if left.zero?
  same done(key("slow")).size + left, 100
  redis { |r| r.set(key("go on"), 1) }
  third = start("--concurrency", "10")
  eventually("all are done") { done(key("slow")).size >= 100 }
  same done(key("slow")), (0...100).to_a # each once
  same stop(third), [0]
  same processes, 0
end

family "counted" do
  stats = Sidekiq::Stats.new
  same stats.failed - failed, 3
  same stats.processed - processed, 300 + 3 + 3 + 1 + 100
  same stats.enqueued, 0
  QUEUES.each { |q| Sidekiq::Queue.new(q).clear }
  Sidekiq::DeadSet.new.clear
end
