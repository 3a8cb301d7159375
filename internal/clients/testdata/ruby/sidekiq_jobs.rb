# The jobs of sidekiq_queues.rb, which Sidekiq's processes require. What they connect to is in the environment.

require "sidekiq"

Redis.silence_deprecations = true

ADDR, PREFIX = ENV.fetch("REDIS_ADDR"), ENV.fetch("KEY_PREFIX")
redis = {url: "redis://#{ADDR}", network_timeout: 60, pool_timeout: 60}
Sidekiq.configure_client { |config| config.redis = redis }
Sidekiq.configure_server do |config|
  config.redis = redis
  config.options[:poll_interval_average] = 0.2 # for what is scheduled
  config.on(:quiet) { $stopping = true }
end

# key is a key of this run.
def key(name) = PREFIX + name

class CountJob
  include Sidekiq::Worker

  def perform(list, n) = Sidekiq.redis { |r| r.rpush(list, n) }
end

# FlakyJob fails twice.
class FlakyJob
  include Sidekiq::Worker
  sidekiq_options retry: 5

  def perform(counter)
    raise "not yet" if Sidekiq.redis { |r| r.incr(counter) } < 3
  end
end

# HopelessJob fails until it is dead.
class HopelessJob
  include Sidekiq::Worker
  sidekiq_options retry: 0

  def perform = raise("no use")
end

# SlowJob, all but the first few, is slow until its process is to stop, or all may go on.
class SlowJob
  include Sidekiq::Worker

  def perform(list, n)
    sleep 0.05 until n < 5 || $stopping || Sidekiq.redis { |r| r.exists?(key("go on")) }
    Sidekiq.redis { |r| r.rpush(list, n) }
  end
end
