-- Sets a limit or lifts it. ARGV: scope, the limit as JSON or ''. What an earlier rate has given stays given.
local scope = ARGV[1]
local before = limit_of(scope)
local left = before and before.per_second and tokens(scope, before)
limits[scope] = nil
if ARGV[2] == '' then
  call('HDEL', P .. 'limits', scope)
else
  call('HSET', P .. 'limits', scope, ARGV[2])
end
local limit = limit_of(scope)
if left and limit and limit.per_second then
  call('HSET', P .. 'bucket:' .. scope, 'tokens', string.format('%.6f', left), 'at', NOW)
else
  call('DEL', P .. 'bucket:' .. scope)
end
unpark(scope, 1000)
tell('a')
return 1
