# redis-rb: transactions, blocking pops, Pub/Sub. See families.rb.

require_relative "families"
require "redis"

Redis.silence_deprecations = true
URL = "redis://#{ENV["REDIS_ADDR"]}"

def connect = Redis.new(url: URL, timeout: 60)
def key(name) = ENV["KEY_PREFIX"] + name

r = connect

family "transactions" do
  a, b = "{#{key("t")}}a", "{#{key("t")}}b"
  got = r.multi do |tx|
    tx.set(a, 1)
    tx.incr(a)
    tx.rpush(b, %w[x y])
    tx.lrange(b, 0, -1)
  end
  same got, ["OK", 2, 2, %w[x y]]
  same r.pipelined { |p| 100.times { |i| p.set(key("p#{i}"), i); p.get(key("p#{i}")) } }, (0...100).flat_map { |i| ["OK", i.to_s] }
  fails("WRONGTYPE") { r.multi { |tx| tx.incr(b) } }
  threads = 8.times.map do # none of their additions is lost
    Thread.new do
      own = connect
      20.times do
        nil until own.watch(a) do
          n = own.get(a).to_i
          own.multi { |tx| tx.set(a, n + 1) }
        end
      end
      own.close
    end
  end
  threads.each(&:join)
  same r.get(a), "162"
end

family "blocking" do
  same r.blpop(key("list"), timeout: 0.1), nil
  waiting = Thread.new { connect.xread(key("stream"), "$", block: 0) }
  eventually("the entry is read") { r.xadd(key("stream"), {f: "v"}) && !waiting.alive? }
  same waiting.value[key("stream")][0][1], {"f" => "v"}
end

family "queues" do # consumers take from lists in several slots: each element once
  queues = (0...5).map { |i| key("queue #{i}") }
  taken = Queue.new
  consumers = 4.times.map do
    Thread.new do
      own = connect
      until (element = own.brpop(*queues, timeout: 0)[1]) == "end"
        taken << element.to_i
      end
      own.close
    end
  end
  200.times { |i| r.lpush(queues[i % 5], i) }
  eventually("all is taken") { taken.size == 200 }
  4.times { r.lpush(queues[0], "end") }
  consumers.each(&:join)
  same 200.times.map { taken.pop }.sort, (0...200).to_a
end

family "pubsub" do
  heard = Queue.new
  subscribed = Queue.new
  subscriber = Thread.new do
    connect.subscribe(key("one"), key("two")) do |on|
      on.subscribe { |channel, n| subscribed << [channel, n] }
      on.message do |channel, message|
        heard << [channel, message]
        Thread.exit if message == "end"
      end
    end
  end
  same [subscribed.pop, subscribed.pop], [[key("one"), 1], [key("two"), 2]]
  200.times { |i| same r.publish(key("one"), i), 1 }
  same 200.times.map { heard.pop }, (0...200).map { |i| [key("one"), i.to_s] }
  same r.publish(key("two"), "end"), 1
  subscriber.join
  same heard.pop, [key("two"), "end"]
  begin
    connect.subscribe_with_timeout(0.1, key("one")) { |on| on.message { raise "nobody spoke" } }
  rescue Redis::TimeoutError
    same r.ping, "PONG"
  end
end
