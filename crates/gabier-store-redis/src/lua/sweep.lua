-- Brings our records up to what workers of another make did. ARGV: queue, a moment from which on ends are looked at.
-- Gives {now, number of tasks that changed}.
local queue, changed = ARGV[1], 0
local keys = bull(queue)
local function look(job)
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
-- What we ended ourselves is known: it has the same moment in our index of ends.
local ours = {}
for _, id in ipairs(call('ZRANGEBYSCORE', P .. 'ended', ARGV[2], '+inf', 'LIMIT', 0, 20000)) do ours[id] = true end
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
return {NOW, changed}
