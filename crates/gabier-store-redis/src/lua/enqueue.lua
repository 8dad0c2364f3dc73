-- Adds tasks for several callers: all of a caller's, or none.
-- ARGV: number of callers, then per caller: nonce, limit, number of tasks, and per task: id, queue, tool, kind, owner,
-- alias, parent, priority, run_at, deadline, max, retry, callback, then, idem, asked, data, worker, lease, 'idle' when
-- the worker may have it only if nothing else could start before it. Empty text is nothing.
-- Gives per caller {'done', 'new', 'claimed' or 'existing', id...} or {'taken', id} or {'full', queue}.
local WIDTH = 20
local function holder(idem)
  local id = call('GET', P .. 'idem:' .. idem)
  local task = id and load(id)
  if task and (not TERMINAL[task.state] or task.created + DAY > NOW) then return id end
end

-- Whether nothing waits in a queue that would start before what is added.
local idle = {}
local function is_idle(queue)
  if idle[queue] == nil then
    local keys = bull(queue)
    idle[queue] = call('EXISTS', keys.prioritized) == 0 and meta(queue).is_plain
      and (is_free(queue) or has_no_others(queue) and call('EXISTS', P .. 'parked') == 0)
      and not limit_of('q:' .. queue)
  end
  return idle[queue]
end

-- Whether a task starts with being added.
local function starts(i, is_later)
  if ARGV[i + 17] == '' then return false end
  if ARGV[i + 19] ~= 'idle' then return true end
  local deadline, alias = tonumber(ARGV[i + 9]), ARGV[i + 5]
  return not is_later and not (deadline and deadline <= NOW) and is_idle(ARGV[i + 1])
    and not limit_of('t:' .. ARGV[i + 2]) and not (alias ~= '' and limit_of('a:' .. alias))
end

-- Adds one task, by where its arguments begin; gives whether it started.
local function add_task(i, nonce)
  local run_at = tonumber(ARGV[i + 8])
  local is_later = run_at and run_at > NOW
  local is_claimed = starts(i, is_later)
  is_later = is_later and not is_claimed
  local task = {id = ARGV[i], queue = ARGV[i + 1], tool = ARGV[i + 2], kind = ARGV[i + 3], owner = ARGV[i + 4],
    alias = ARGV[i + 5], parent = ARGV[i + 6], priority = ARGV[i + 7], deadline = ARGV[i + 9], max = ARGV[i + 10],
    retry = ARGV[i + 11], callback = ARGV[i + 12], ['then'] = ARGV[i + 13], idem = ARGV[i + 14], created = NOW_TEXT,
    state = is_claimed and 'running' or is_later and 'scheduled' or 'pending'}
  if is_claimed then
    local worker, lease, token = ARGV[i + 17], ARGV[i + 18], ARGV[i + 17] .. ':' .. nonce .. ':' .. i
    local until_ = text(NOW + lease)
    write(task, {'asked', ARGV[i + 15], 'added', nonce, 'fence', '1', 'attempt', '1', 'worker', worker, 'lease', until_,
      'token', token, 'started', NOW_TEXT})
    add_started_job(task, ARGV[i + 16], worker, token, lease)
    running(task, 1)
    index('leases', task.id, until_)
    deliver(task, 'processing')
  elseif is_later then
    write(task, {'asked', ARGV[i + 15], 'added', nonce, 'due', ARGV[i + 8]})
    add_job(task, ARGV[i + 16], run_at)
  else
    write(task, {'asked', ARGV[i + 15], 'added', nonce})
    add_ready_job(task, ARGV[i + 16])
    idle[task.queue] = false
  end
  if task.idem then call('SET', P .. 'idem:' .. task.idem, task.id) end
  tell('t' .. task.id)
  return is_claimed
end

-- Looks at what all callers bring: how many tasks, and whether any of them, or a job of its name, was there before.
local function survey()
  local names, number, at, is_there = {}, 0, 2, false
  for _ = 1, tonumber(ARGV[1]) do
    local more = tonumber(ARGV[at + 2])
    for i = at + 3, at + 2 + more * WIDTH, WIDTH do
      names[#names + 1] = P .. 't:' .. ARGV[i]
      names[#names + 1] = bull(ARGV[i + 1]).base .. ARGV[i]
    end
    number, at = number + more, at + 3 + more * WIDTH
  end
  for i = 1, #names, 4000 do
    is_there = is_there or call('EXISTS', unpack(names, i, math.min(i + 3999, #names))) > 0
  end
  return number, is_there
end

local queues_with_work, number_of_all, may_be_there = {}, survey()
-- What this call added.
local new = {}

-- Adds the tasks of one caller.
local function add_all(nonce, limit, from, number)
  local answer, plan, keyed, ids, added = {'done'}, {}, {}, {}, {}
  for i = from, from + (number - 1) * WIDTH, WIDTH do
    local id, queue, idem = ARGV[i], ARGV[i + 1], ARGV[i + 14]
    local is_there = (may_be_there or new[id]) and call('EXISTS', P .. 't:' .. id, bull(queue).base .. id) > 0
    local existing = idem ~= '' and (keyed[idem] or holder(idem))
    local before = is_there and call('HMGET', P .. 't:' .. id, 'added', 'state', 'token')
    if before and before[1] == nonce then
      -- The call is repeated, since its answer was lost.
      local is_held = ARGV[i + 19] == 'idle' and before[2] == 'running'
        and string.find(before[3] or '', ':' .. nonce .. ':', 1, true)
      table.insert(answer, is_held and 'claimed' or 'new')
      table.insert(answer, id)
    elseif existing then
      table.insert(answer, 'existing')
      table.insert(answer, existing)
    else
      if is_there or ids[id] then return {'taken', id} end
      if idem ~= '' then keyed[idem] = id end
      ids[id] = true
      added[queue] = (added[queue] or 0) + 1
      table.insert(answer, 'new')
      table.insert(answer, id)
      table.insert(plan, {i, #answer - 1})
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
  for _, step in ipairs(plan) do
    local i = step[1]
    local is_claimed = add_task(i, nonce)
    new[ARGV[i]] = true
    if is_claimed and ARGV[i + 19] == 'idle' then answer[step[2]] = 'claimed' end
    if not is_claimed then queues_with_work[ARGV[i + 1]] = true end
  end
  QUIET = false
  if #plan > 100 then tell('a') end
  return answer
end

local answers, at = {}, 2
take_seqs(number_of_all)
for _ = 1, tonumber(ARGV[1]) do
  local number = tonumber(ARGV[at + 2])
  table.insert(answers, add_all(ARGV[at], tonumber(ARGV[at + 1]), at + 3, number))
  at = at + 3 + number * WIDTH
end
line_up()
activate()
for queue in pairs(queues_with_work) do tell('w' .. queue) end
return answers
