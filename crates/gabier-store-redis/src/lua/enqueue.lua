-- Adds tasks for several callers: all of a caller's, or none.
-- ARGV: number of callers, then per caller: nonce, limit, number of tasks, and per task: id, queue, tool, kind, owner,
-- alias, parent, priority, run_at, deadline, max, retry, callback, then, idem, asked, data, worker, lease. Empty text is
-- nothing. Gives per caller {'done', 'new' or 'existing', id...} or {'taken', id} or {'full', queue}.
local WIDTH = 19
local function holder(idem)
  local id = call('GET', P .. 'idem:' .. idem)
  local task = id and load(id)
  if task and (not TERMINAL[task.state] or task.created + DAY > NOW) then return id end
end

-- Adds one task, by where its arguments begin.
local function add_task(i, nonce)
  local worker, lease, run_at = ARGV[i + 17], tonumber(ARGV[i + 18]), tonumber(ARGV[i + 8])
  local is_claimed = worker ~= ''
  local is_later = not is_claimed and run_at and run_at > NOW
  local task = {id = ARGV[i], queue = ARGV[i + 1], tool = ARGV[i + 2], kind = ARGV[i + 3], owner = ARGV[i + 4],
    alias = ARGV[i + 5], parent = ARGV[i + 6], priority = ARGV[i + 7], deadline = ARGV[i + 9], max = ARGV[i + 10],
    retry = ARGV[i + 11], callback = ARGV[i + 12], ['then'] = ARGV[i + 13], idem = ARGV[i + 14], fence = '0', attempt = '0',
    created = NOW_TEXT, state = is_later and 'scheduled' or 'pending'}
  local set = {'asked', ARGV[i + 15], 'added', nonce}
  if is_later then
    table.insert(set, 'due')
    table.insert(set, run_at)
  end
  write(task, set)
  if task.idem then call('SET', P .. 'idem:' .. task.idem, task.id) end
  if not is_claimed and not is_later then
    add_ready_job(task, ARGV[i + 16])
    tell('t' .. task.id)
    return
  end
  add_job(task, ARGV[i + 16], is_later and run_at)
  if is_claimed then
    local token = worker .. ':' .. nonce .. ':' .. i
    activate(task, worker, token, lease)
    become(task, 'running', {'fence', 1, 'attempt', 1, 'worker', worker, 'lease', NOW + lease, 'token', token,
      'started', NOW, 'nonce', nonce})
    index('leases', task.id, NOW + lease)
    deliver(task, 'processing')
  else
    tell('t' .. task.id)
  end
end

local queues_with_work = {}

-- Adds the tasks of one caller.
local function add_all(nonce, limit, from, number)
  local answer, plan, keyed, ids, added = {'done'}, {}, {}, {}, {}
  for i = from, from + (number - 1) * WIDTH, WIDTH do
    local id, queue, idem = ARGV[i], ARGV[i + 1], ARGV[i + 14]
    local is_there = call('EXISTS', P .. 't:' .. id, bull(queue).base .. id) > 0
    local existing = idem ~= '' and (keyed[idem] or holder(idem))
    if is_there and call('HGET', P .. 't:' .. id, 'added') == nonce then
      -- The call is repeated, since its answer was lost.
      table.insert(answer, 'new')
      table.insert(answer, id)
    elseif existing then
      table.insert(answer, 'existing')
      table.insert(answer, existing)
    else
      if is_there or ids[id] then return {'taken', id} end
      if idem ~= '' then keyed[idem] = id end
      ids[id] = true
      added[queue] = (added[queue] or 0) + 1
      table.insert(plan, i)
      table.insert(answer, 'new')
      table.insert(answer, id)
    end
  end
  if limit > 0 then
    for queue, more in pairs(added) do
      if tonumber(call('HGET', P .. 'open', queue) or 0) + moving('open', queue) + more > limit then
        return {'full', queue}
      end
    end
  end
  QUIET = #plan > 100
  for _, i in ipairs(plan) do add_task(i, nonce) end
  QUIET = false
  if #plan > 100 then tell('a') end
  for queue in pairs(added) do queues_with_work[queue] = true end
  return answer
end

local answers, at = {}, 2
for _ = 1, tonumber(ARGV[1]) do
  local number = tonumber(ARGV[at + 2])
  table.insert(answers, add_all(ARGV[at], tonumber(ARGV[at + 1]), at + 3, number))
  at = at + 3 + number * WIDTH
end
line_up()
for queue in pairs(queues_with_work) do tell('w' .. queue) end
return answers
