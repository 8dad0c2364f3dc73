-- Makes a dead or done delivery due again, from its first try. ARGV: name. Gives whether there is one.
local name = ARGV[1]
local key = P .. 'd:' .. name
local values = call('HMGET', key, 'state', 'task', 'seq')
if not values[1] then return 0 end
call('ZREM', P .. 'dls:' .. values[1], name)
call('ZADD', P .. 'dls:waiting', values[3], name)
call('HSET', key, 'state', 'waiting', 'attempts', 0, 'next', NOW)
call('ZADD', P .. 'dq:' .. values[2], values[3], name)
call('ZREM', P .. 'due', name)
redue(values[2])
local task = load(values[2])
if task then settle(task) end
return 1
