# What the programs share: their arguments, and the run of their families.
#
# PROGRAM.rb HOST:PORT PREFIX plain|proxy
#
# Each family ends with a line "family NAME" once all it asserts holds; all keys begin with PREFIX.

addr, prefix, at = ARGV
ENV["REDIS_ADDR"], ENV["KEY_PREFIX"] = addr, prefix
PROXIED = at == "proxy"

def same(got, want)
  raise "got #{got.inspect}, want #{want.inspect}" unless got == want
end

# fails asserts that the block raises an error with that text.
def fails(text)
  begin
    got = yield
  rescue => e
    raise "the error is #{e.inspect}, want #{text.inspect}" unless e.message.include?(text)
    return
  end
  raise "got #{got.inspect}, want an error with #{text.inspect}"
end

# eventually waits until the block is true.
def eventually(what)
  deadline = Process.clock_gettime(Process::CLOCK_MONOTONIC) + 60
  until yield
    raise "not within 60 s: #{what}" if Process.clock_gettime(Process::CLOCK_MONOTONIC) > deadline
    sleep 0.005
  end
end

def family(name)
  yield
  puts "family #{name}"
  $stdout.flush
end
