-- Claims deliveries that are due. ARGV: how many, lease. Gives name and record of each.
local answer = {}
for _, name in ipairs(call('ZRANGEBYSCORE', P .. 'due', '-inf', NOW, 'LIMIT', 0, tonumber(ARGV[1]))) do
  call('ZADD', P .. 'due', NOW + tonumber(ARGV[2]), name)
  table.insert(answer, name)
  table.insert(answer, call('HGETALL', P .. 'd:' .. name))
end
return answer
