-- What redis-cli --eval runs.
return {KEYS[1], ARGV[1] .. " " .. ARGV[2], redis.call("EXISTS", KEYS[1])}
