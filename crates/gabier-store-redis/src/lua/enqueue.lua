-- Adds tasks, all of them or none.
-- ARGV: nonce, limit, then per task: id, queue, tool, kind, owner, alias, parent, priority, run_at, deadline, max, retry,
-- callback, then, idem, asked, data, worker, lease. Empty text is nothing.
-- Gives {'done', 'new' or 'existing', id...} or {'taken', id} or {'full', queue}.
local nonce, limit, WIDTH = ARGV[1], tonumber(ARGV[2]), 19
local function holder(idem)
  local id = call('GET', P .. 'idem:' .. idem)
  local task = id and load(id)
  if task and (not TERMINAL[task.state] or task.created + DAY > NOW) then return id end
end

local answer, plan, keyed, ids, added = {'done'}, {}, {}, {}, {}
for i = 3, #ARGV, WIDTH do
  local id, queue, idem = ARGV[i], ARGV[i + 1], ARGV[i + 14]
  local nonce_there = call('HGET', P .. 't:' .. id, 'added')
  local existing = idem ~= '' and (keyed[idem] or holder(idem))
  if nonce_there == nonce then
    -- The call is repeated, since its answer was lost.
    table.insert(answer, 'new')
    table.insert(answer, id)
  elseif existing then
    table.insert(answer, 'existing')
    table.insert(answer, existing)
  else
    if nonce_there or ids[id] or call('EXISTS', P .. 't:' .. id, bull(queue).base .. id) > 0 then
      return {'taken', id}
    end
    if idem ~= '' then keyed[idem] = id end
    ids[id] = true
    added[queue] = (added[queue] or 0) + 1
    table.insert(plan, i)
    table.insert(answer, 'new')
    table.insert(answer, id)
  end
end
if limit > 0 then
  for queue, number in pairs(added) do
    if tonumber(call('HGET', P .. 'open', queue) or 0) + number > limit then return {'full', queue} end
  end
end

QUIET = #plan > 100
for _, i in ipairs(plan) do
  local worker, lease, run_at = ARGV[i + 17], tonumber(ARGV[i + 18]), tonumber(ARGV[i + 8])
  local is_claimed = worker ~= ''
  local is_later = not is_claimed and run_at and run_at > NOW
  local task = {id = ARGV[i], queue = ARGV[i + 1], tool = ARGV[i + 2], kind = ARGV[i + 3], owner = ARGV[i + 4],
    alias = ARGV[i + 5], parent = ARGV[i + 6], priority = ARGV[i + 7], deadline = ARGV[i + 9], max = ARGV[i + 10],
    retry = ARGV[i + 11], callback = ARGV[i + 12], ['then'] = ARGV[i + 13], idem = ARGV[i + 14], fence = 0, attempt = 0,
    created = NOW, state = is_later and 'scheduled' or 'pending'}
  local set = {'asked', ARGV[i + 15], 'added', nonce}
  if is_later then
    table.insert(set, 'due')
    table.insert(set, run_at)
  end
  write(task, set)
  if task.idem then call('SET', P .. 'idem:' .. task.idem, task.id) end
  add_job(task, ARGV[i + 16], is_later and run_at)
  if is_claimed then
    local token = worker .. ':' .. nonce .. ':' .. i
    activate(task, worker, token, lease)
    become(task, 'running', {'fence', 1, 'attempt', 1, 'worker', worker, 'lease', NOW + lease, 'token', token,
      'started', NOW, 'nonce', nonce})
    call('ZADD', P .. 'leases', NOW + lease, task.id)
    deliver(task, 'processing')
  else
    tell('t' .. task.id)
  end
end
QUIET = false
if #plan > 100 then tell('a') end
for queue in pairs(added) do tell('w' .. queue) end
return answer
