-- Removes ended tasks, oldest first. ARGV: end of those that are too old, how many may stay, how many bytes may stay.
-- Gives how many are gone, 1,000 at most.
local gone, MOST = 0, 1000
QUIET = true
local function remove(id)
  local task = load(id)
  call('ZREM', P .. 'prunable', id)
  call('ZREM', P .. 'prunable:out', id)
  if not task then return end
  local keys = bull(task.queue)
  for _, index in ipairs({'owner:' .. task.owner, 'tool:' .. task.tool, 'state:' .. task.state, 'lex'}) do
    call('ZREM', P .. index, id)
  end
  if task.alias then call('ZREM', P .. 'alias:' .. task.alias, id) end
  if task.parent then call('ZREM', P .. 'parent:' .. task.parent, id) end
  count(task, task.state, -1)
  if task.started and task.finished then ran(task, -math.max(0, task.finished - task.started)) end
  if task.idem and call('GET', P .. 'idem:' .. task.idem) == id then call('DEL', P .. 'idem:' .. task.idem) end
  if task.out then call('DECRBY', P .. 'outbytes', task.out) end
  for _, event in ipairs({'processing', 'completed', 'error', 'cancelled'}) do
    local name = 'msg_' .. id .. '_' .. event
    local state = call('HGET', P .. 'd:' .. name, 'state')
    if state then
      for _, index in ipairs({'dl', 'dl:' .. task.owner, 'dls:' .. state}) do call('ZREM', P .. index, name) end
      call('DEL', P .. 'd:' .. name)
    end
  end
  for _, stream in ipairs({'stdout', 'stderr', 'log'}) do
    call('DEL', P .. 'o:' .. id .. ':' .. stream .. ':head', P .. 'o:' .. id .. ':' .. stream .. ':tail')
  end
  local job = keys.base .. task.job
  call('ZREM', keys.completed, task.job)
  call('ZREM', keys.failed, task.job)
  call('DEL', job, job .. ':logs', job .. ':lock', job .. ':dependencies', job .. ':processed')
  call('DEL', P .. 't:' .. id)
  gone = gone + 1
end

for _, id in ipairs(call('ZRANGEBYSCORE', P .. 'keyed', '-inf', NOW, 'LIMIT', 0, MOST)) do
  local task = load(id)
  if task then settle(task) else call('ZREM', P .. 'keyed', id) end
end
flush_indexes()
for _, id in ipairs(call('ZRANGEBYSCORE', P .. 'prunable', '-inf', ARGV[1], 'LIMIT', 0, MOST)) do remove(id) end
local ended = 0
for state in pairs(TERMINAL) do ended = ended + call('ZCARD', P .. 'state:' .. state) end
local many = math.min(MOST - gone, ended - tonumber(ARGV[2]))
if many > 0 then
  for _, id in ipairs(call('ZRANGE', P .. 'prunable', 0, many - 1)) do remove(id) end
end
while gone < MOST and tonumber(call('GET', P .. 'outbytes') or 0) > tonumber(ARGV[3]) do
  local id = call('ZRANGE', P .. 'prunable:out', 0, 0)[1]
  if not id then break end
  remove(id)
end
QUIET = false
if gone > 0 then tell('a') end
return gone
