-- Notes how a try to deliver ended. ARGV: name, 'done', 'again' or 'dead', in a few words, next time.
local name, how = ARGV[1], ARGV[2]
local key = P .. 'd:' .. name
local values = call('HMGET', key, 'state', 'task', 'seq')
if values[1] ~= 'waiting' then return 0 end
call('HINCRBY', key, 'attempts', 1)
call('HSET', key, 'last', ARGV[3])
if how == 'again' then
  call('HSET', key, 'next', ARGV[4])
  call('ZADD', P .. 'due', ARGV[4], name)
  return 1
end
call('HSET', key, 'state', how)
call('HDEL', key, 'next')
call('ZREM', P .. 'due', name)
call('ZREM', P .. 'dls:waiting', name)
call('ZADD', P .. 'dls:' .. how, values[3], name)
call('ZREM', P .. 'dq:' .. values[2], name)
redue(values[2])
local task = load(values[2])
if task then settle(task) end
return 1
