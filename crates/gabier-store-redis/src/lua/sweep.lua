-- Brings our records up to what workers of another make did. ARGV: queue, a moment from which on ends are looked at, how
-- many events of others there were. Gives {now, number of tasks that changed, how many events of others there are}.
local queue, changed, others = ARGV[1], 0, ''
local keys = bull(queue)
local stream = redis.pcall('XINFO', 'STREAM', keys.events)
for i = 1, #stream, 2 do
  if stream[i] == 'entries-added' then
    others = text(stream[i + 1] - tonumber(call('HGET', P .. 'events', queue) or 0))
  end
end
if others ~= '' and others == ARGV[3] then return {NOW, changed, others} end
local function look(job)
  -- What we ended is known at once.
  local known = call('HMGET', P .. 't:' .. job, 'state', 'facts')
  if known[1] and TERMINAL[known[1]] and cmsgpack.unpack(known[2])[1] == queue then return end
  local id = record_of(queue, job)
  local state = call('HGET', P .. 't:' .. id, 'state')
  local task = state and not TERMINAL[state] and load(id)
  if task and not TERMINAL[task.state] and follow(task) then changed = changed + 1 end
end
for _, job in ipairs(call('LRANGE', keys.active, 0, 999)) do
  local task = load(record_of(queue, job))
  if task and not TERMINAL[task.state] then
    local lock = call('GET', keys.base .. job .. ':lock')
    if lock and lock ~= task.token and follow(task) then changed = changed + 1 end
  end
end
-- What we ended ourselves is mostly known by our index of what may be pruned, which has the same moment.
local ours = {}
for _, id in ipairs(call('ZRANGEBYSCORE', P .. 'prunable', ARGV[2], '+inf', 'LIMIT', 0, 20000)) do ours[id] = true end
for _, ends in ipairs({keys.completed, keys.failed}) do
  for _, job in ipairs(call('ZRANGEBYSCORE', ends, ARGV[2], '+inf', 'LIMIT', 0, 20000)) do
    if not ours[job] and not ours[queue .. '-' .. job] then look(job) end
  end
end
for _, id in ipairs(call('ZRANGE', P .. 'leases', 0, 999)) do
  local task = load(id)
  if task and task.queue == queue and string.sub(task.worker or '', 1, 5) == 'bull:' and follow(task) then
    changed = changed + 1
  end
end
return {NOW, changed, others}
