-- When a delayed task, a lease, a deadline, a delivery or a start that a rate holds up is next due; -1 for never.
local first = nil
local function at(time)
  if time and (not first or time < first) then first = time end
end
local function score(key)
  return tonumber(call('ZRANGE', key, 0, 0, 'WITHSCORES')[2])
end
at(score(P .. 'leases'))
at(score(P .. 'deadlines'))
at(score(P .. 'due'))
for _, queue in ipairs(call('SMEMBERS', P .. 'queues')) do
  local keys = bull(queue)
  local delayed = score(keys.delayed)
  at(delayed and math.floor(delayed / 4096))
end
for _, scope in ipairs(call('HKEYS', P .. 'limits')) do
  local limit = limit_of(scope)
  local free = limit.per_second and tokens(scope, limit) or 1
  if free < 1 then
    local keys = bull(string.sub(scope, 3))
    local waits = call('EXISTS', P .. 'park:' .. scope) == 1
      or string.sub(scope, 1, 2) == 'q:' and call('LLEN', keys.wait) + call('ZCARD', keys.prioritized) > 0
    if waits then at(NOW + math.ceil((1 - free) * 1000 / limit.per_second)) end
  end
end
return first or -1
