-- Who shares the server. ARGV: 'here', 'gone' or 'who', then the process's own entry and for how many ms it holds.
-- Gives the entries that hold.
local KEY = 'gabier:{p}:processes'
local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
if ARGV[1] == 'here' then
  redis.call('ZREMRANGEBYSCORE', KEY, '-inf', now)
  redis.call('ZADD', KEY, now + ARGV[3], ARGV[2])
elseif ARGV[1] == 'gone' then
  redis.call('ZREM', KEY, ARGV[2])
end
return redis.call('ZRANGEBYSCORE', KEY, '(' .. now, '+inf')
