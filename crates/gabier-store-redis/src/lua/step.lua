-- Ends attempts and claims tasks.
-- ARGV: nonce, last moment, worker, queue, want, lease, is repeated, number of ends; then per end: id, fence, how,
-- state, result, error, failure, reason, at, questions.
-- Gives {now, {taken...}, {record...}}, or {now} when the call comes too late: whoever asked does not wait any more.
local nonce, worker, queue = ARGV[1], ARGV[3], ARGV[4]
local want, lease, WIDTH = tonumber(ARGV[5]), tonumber(ARGV[6]), 10
local LEASE_END = text(NOW + lease)
if NOW > tonumber(ARGV[2]) then return {NOW} end

local taken, claimed = {}, {}

-- The record of a task as far as the end of an attempt needs it: one that runs has no other fields that matter.
local HOT = {'state', 'facts', 'seq', 'created', 'fence', 'attempt', 'cancel', 'started', 'token', 'out'}
local function load_running(id)
  local state, facts, seq, created, fence, attempt, cancel, started, token, out = unpack(call('HMGET', P .. 't:' .. id,
    unpack(HOT)))
  if state ~= 'running' then return load(id) end
  return task_of(id, {state, facts, seq, created, fence, attempt, cancel, started, false, token, out, false, worker,
    false, false, false})
end

-- The lock token decides who may end an attempt. A lock that ran out while nobody took the job does no harm.
local function release(task, lock)
  local keys = bull(task.queue)
  if lock == nil then lock = call('GET', keys.base .. task.job .. ':lock') end
  if lock then return lock == task.token and task.token end
  if call('EXISTS', keys.base .. task.job) == 1 and call('LREM', keys.active, -1, task.job) == 0 then
    local found = call('ZREM', keys.prioritized, task.job) + call('ZREM', keys.delayed, task.job)
    if found == 0 and call('LREM', keys.wait, 1, task.job) == 0 then return false end
  end
  call('LPUSH', keys.active, task.job)
  call('SREM', keys.stalled, task.job)
  return '0'
end

-- What BullMQ's `moveToFinished` does with a job that has no parent, no children and no duplicates, for many: what they
-- have in common is done once, by `leave`. False when it is another job.
local leaving, has_children = {}, false
local function finish_plain_job(task, token, result)
  local keys, job = bull(task.queue), task.job
  local key = keys.base .. job
  local name, parent, duplicates, attempts = unpack(call('HMGET', key, 'name', 'parentKey', 'deid', 'atm'))
  if token == '0' or not name or parent or duplicates then return false end
  if has_children and call('EXISTS', key .. ':dependencies', key .. ':unsuccessful') > 0 then return false end
  if call('LREM', keys.active, '-1', job) < 1 then return false end
  local gone = leaving[task.queue]
  if not gone then
    gone = {locks = {}, jobs = {}, scores = {}}
    leaving[task.queue] = gone
  end
  call('HSET', key, 'atm', text((attempts or 0) + 1), 'returnvalue', result, 'finishedOn', NOW_TEXT)
  event(task.queue, 'MAXLEN', '~', meta(task.queue).events, '*', 'event', 'completed', 'jobId', job, 'returnvalue',
    result, 'prev', 'active')
  local size = #gone.jobs
  gone.jobs[size + 1], gone.locks[size + 1] = job, key .. ':lock'
  gone.scores[2 * size + 1], gone.scores[2 * size + 2] = NOW_TEXT, job
  return true
end

local function leave()
  for left, gone in pairs(leaving) do
    local keys = bull(left)
    call('DEL', unpack(gone.locks))
    call('SREM', keys.stalled, unpack(gone.jobs))
    call('ZADD', keys.completed, unpack(gone.scores))
    if call('EXISTS', keys.prioritized, keys.active, keys.wait) == 0 then
      event(left, '*', 'event', 'drained')
    end
  end
end

local function finish(task, token, state, result, err, failure, reason)
  local is_good = state == 'completed' or state == 'partial'
  task.ended = nonce
  if is_good and finish_plain_job(task, token, result ~= '' and result or 'null') then
    conclude(task, state, result, err, failure)
    return true
  end
  local code
  if is_good then
    code = finish_job(task, token, 'completed', 'returnvalue', result ~= '' and result or 'null')
  else
    code = finish_job(task, token, 'failed', 'failedReason', reason)
  end
  -- A job that somebody removed (-1) has ended as far as BullMQ knows.
  if type(code) == 'number' and code < 0 and code ~= -1 then return false end
  if code == -1 then call('LREM', bull(task.queue).active, -1, task.job) end
  conclude(task, state, result, err, failure)
  return true
end

local function stop(task, i, lock)
  if not task or task.state ~= 'running' or task.fence ~= ARGV[i + 1] then
    -- Repeated since the answer was lost: what this very call did counts as done.
    return task and ARGV[7] == '1' and call('HGET', P .. 't:' .. task.id, 'ended') == nonce
  end
  local token = release(task, lock)
  if not token then return false end
  if ARGV[i + 2] ~= 'finish' then call('HSET', P .. 't:' .. task.id, 'ended', nonce) end
  local how, keys = ARGV[i + 2], bull(task.queue)
  if how ~= 'finish' and task.cancel then
    return finish(task, token, 'cancelled', '', ARGV[i + 5], '', 'cancelled')
  elseif how == 'finish' then
    return finish(task, token, ARGV[i + 3], ARGV[i + 4], ARGV[i + 5], ARGV[i + 6], ARGV[i + 7])
  elseif how == 'retry' then
    local at = tonumber(ARGV[i + 8])
    bull_moveToDelayed({keys.marker, keys.active, keys.prioritized, keys.delayed, keys.base .. task.job, keys.events,
      keys.meta, keys.stalled, keys.wait, keys.limiter, keys.pc}, {keys.base, NOW, task.job, token,
      string.format('%.0f', math.max(0, at - NOW)), '0', cmsgpack.pack({'failedReason', ARGV[i + 7]}), '0', ''})
    become(task, 'scheduled', {'due', ARGV[i + 8], 'error', ARGV[i + 5]}, {'worker', 'lease', 'token'})
    tell('w' .. task.queue)
    return true
  elseif how == 'release' then
    requeue_job(task, token)
    become(task, 'pending', {'attempt', math.max(0, task.attempt - 1)}, {'worker', 'lease', 'token'})
    return true
  end
  local questions = cjson.decode(ARGV[i + 9])
  if next(questions) == nil then
    requeue_job(task, token)
    become(task, 'pending', {}, {'worker', 'lease', 'token'})
    return true
  end
  -- BullMQ has no state for a job that waits for people; the nearest one holds it.
  call('DEL', keys.base .. task.job .. ':lock')
  call('LREM', keys.active, -1, task.job)
  call('SREM', keys.stalled, task.job)
  call('ZADD', keys['waiting-children'], NOW, task.job)
  become(task, 'input_required', {'questions', ARGV[i + 9]}, {'worker', 'lease', 'token'})
  return true
end

-- What is asked of every job is asked for all at once, before any of them changes.
local function stop_all(number)
  local tasks, locks, names, below, seen = {}, {}, {}, {}, {}
  for n = 1, number do
    local id = ARGV[9 + (n - 1) * WIDTH]
    local task = not seen[id] and load_running(id) or nil
    seen[id] = true
    tasks[n] = task or false
    local key = task and bull(task.queue).base .. task.job or P .. 'none'
    names[n], below[2 * n - 1], below[2 * n] = key .. ':lock', key .. ':dependencies', key .. ':unsuccessful'
  end
  for n = 1, number, 2000 do
    local last = math.min(n + 1999, number)
    for k, lock in ipairs(call('MGET', unpack(names, n, last))) do locks[n + k - 1] = lock end
    has_children = has_children or call('EXISTS', unpack(below, 2 * n - 1, 2 * last)) > 0
  end
  for n = 1, number do
    local i = 9 + (n - 1) * WIDTH
    local is_stopped
    if tasks[n] then is_stopped = stop(tasks[n], i, locks[n]) else is_stopped = stop(load(ARGV[i]), i) end
    taken[n] = is_stopped and 1 or 0
  end
end

stop_all(tonumber(ARGV[8]))
leave()
flush_indexes()

-- What a claimed task is shown with, beside what scripts work with.
local SHOWN = {'asked', 'cancel', 'dead', 'progress', 'error', 'questions', 'answers', 'raw', 'lease'}
local WHOLE = {unpack(FIELDS)}
for _, field in ipairs(SHOWN) do table.insert(WHOLE, field) end
local FOREIGN = {'queue', 'tool', 'kind', 'owner', 'priority', 'max', 'retry', 'callback'}

-- One that never started has told nothing yet.
local function load_new(id)
  local asked, state, facts, seq, created, fence, due = unpack(call('HMGET', P .. 't:' .. id, 'asked', 'state', 'facts',
    'seq', 'created', 'fence', 'due'))
  if not state or fence or not asked then return nil end
  local task = task_of(id, {state, facts, seq, created, '0', '0', false, false, false, false, false, false, false, due,
    false, false})
  task.asked, task.is_new = asked, true
  return task
end

local function load_whole(id)
  local values = call('HMGET', P .. 't:' .. id, unpack(WHOLE))
  local task = task_of(id, values)
  for i = #FIELDS + 1, task and #WHOLE or 0 do task[WHOLE[i]] = values[i] or nil end
  return task
end

local function give(task)
  local shown = {'state', 'running', 'fence', task.fence, 'attempt', task.attempt, 'worker', task.worker, 'lease',
    task.lease, 'created', task.created, 'started', task.started}
  local size = #shown
  local function put(fields, number)
    for i = 1, number do
      local value = task[fields[i]]
      if value then
        shown[size + 1], shown[size + 2] = fields[i], value
        size = size + 2
      end
    end
  end
  if task.is_new then put(SHOWN, 1) else put(SHOWN, 8) end
  if task.foreign then put(FOREIGN, #FOREIGN) end
  local number = #claimed
  claimed[number + 1], claimed[number + 2] = task.id, shown
end

if ARGV[7] == '1' then
  for _, id in ipairs(call('ZRANGE', P .. 'leases', 0, -1)) do
    if string.find(call('HGET', P .. 't:' .. id, 'token') or '', ':' .. nonce .. ':', 1, true) then
      give(load_whole(id))
      want = want - 1
    end
  end
end

-- Puts a task aside until its tool or host may start one more; gives whether that was needed.
local function park(task)
  local scope = capacity('t:' .. task.tool) == 0 and 't:' .. task.tool
    or task.alias and capacity('a:' .. task.alias) == 0 and 'a:' .. task.alias
  if not scope then return false end
  local keys = bull(queue)
  call('DEL', keys.base .. task.job .. ':lock')
  call('LREM', keys.active, -1, task.job)
  call('HINCRBY', keys.base .. task.job, 'ats', -1)
  call('ZADD', keys['waiting-children'], NOW, task.job)
  call('ZADD', P .. 'park:' .. scope, task.priority * 4294967296 + task.seq, task.id)
  call('SADD', P .. 'parked', scope)
  if task.state == 'pending' then
    call('HSET', P .. 't:' .. task.id, 'parked', scope)
  else
    become(task, 'pending', {'parked', scope}, {'worker', 'lease', 'due', 'token'})
  end
  return true
end

local function start(task, token)
  local is_first = tonumber(task.attempt) == 0
  task.fence, task.attempt, task.worker = text(task.fence + 1), text(task.attempt + 1), worker
  task.lease = LEASE_END
  become(task, 'running', {'fence', task.fence, 'attempt', task.attempt, 'worker', worker, 'lease', LEASE_END, 'token',
    token, 'started', NOW_TEXT}, task.due and {'due'}, true)
  task.started = NOW_TEXT
  index('leases', task.id, LEASE_END)
  spend('q:' .. task.queue)
  spend('t:' .. task.tool)
  if task.alias then spend('a:' .. task.alias) end
  if is_first then deliver(task, 'processing') end
  give(task)
  want = want - 1
end

-- Whether nothing but to start it can be done with a task.
local function is_plain(task)
  return task and task.queue == queue and not task.foreign and (task.state == 'pending' or task.state == 'scheduled')
    and not (task.deadline and tonumber(task.deadline) <= NOW) and not limit_of('t:' .. task.tool)
    and not (task.alias and limit_of('a:' .. task.alias))
end

-- Whether nothing is limited, parked, delayed or without a priority.
local is_quiet

-- What BullMQ's `moveToActive` does with jobs of a queue without limits of its own, for many, as long as they are plain.
-- Gives how many, and whether nothing else waits.
local number = 0
local function claim_plain()
  local keys, before = bull(queue), number
  if not meta(queue).is_plain or not is_quiet and not has_no_others(queue) then return 0, false end
  local jobs, most = {}, math.min(want, 1000)
  local first = call('ZRANGE', keys.prioritized, 0, most - 1)
  for _, job in ipairs(first) do
    local task = string.match(job, '^%x%x%x%x%x%x%x%x%-') and (load_new(job) or load_whole(job))
    if not is_plain(task) then break end
    local key, token = keys.base .. job, worker .. ':' .. nonce .. ':' .. number
    call('SET', key .. ':lock', token, 'PX', ARGV[6])
    event(queue, '*', 'event', 'active', 'jobId', job, 'prev', 'waiting')
    if task.is_new then
      call('HSET', key, 'processedOn', NOW_TEXT, 'pb', worker, 'ats', '1')
    else
      call('HSET', key, 'processedOn', NOW_TEXT, 'pb', worker)
      call('HINCRBY', key, 'ats', '1')
    end
    start(task, token)
    number = number + 1
    jobs[number - before] = job
  end
  if number > before then
    call('ZREMRANGEBYRANK', keys.prioritized, 0, number - before - 1)
    call('LPUSH', keys.active, unpack(jobs))
    call('ZADD', keys.marker, 0, '0')
  end
  return number - before, #first < most and number - before == #first
end

-- Claims one job and does with it what its record says; gives whether there may be more.
local function claim()
  local keys, token = bull(queue), worker .. ':' .. nonce .. ':' .. number
  number = number + 1
  local got = bull_moveToActive({keys.wait, keys.active, keys.prioritized, keys.events, keys.stalled, keys.limiter,
    keys.delayed, keys.paused, keys.meta, keys.pc, keys.marker},
    {keys.base, NOW, cmsgpack.pack({token = token, lockDuration = lease, name = worker})})
  if type(got) ~= 'table' or type(got[1]) ~= 'table' then return false end
  local job = got[2]
  local task = string.match(job, '^%x%x%x%x%x%x%x%x%-') and load_whole(job)
  if not task or task.queue ~= queue then
    local id = record_of(queue, job)
    task = load_whole(id) or adopt(queue, job) and load_whole(id)
  end
  if not task then
    -- The job itself is gone: somebody removed it while it waited.
    call('LREM', keys.active, -1, job)
    call('DEL', keys.base .. job .. ':lock')
  elseif TERMINAL[task.state] then
    local held = {job = task.job, queue = queue, max = task.max}
    finish_job(held, token, 'failed', 'failedReason', 'it ended before: task_retry starts it anew as another task')
  elseif task.state == 'running' then
    -- Its lease ran out and a worker of another make put it back.
    task.state_before = lose(task, false)
  elseif task.deadline and tonumber(task.deadline) <= NOW then
    finish_job(task, token, 'failed', 'failedReason', 'expired')
    conclude(task, 'expired', nil, EXPIRY)
  elseif not park(task) then
    if task.foreign then call('HDEL', keys.base .. job, 'defa') end
    start(task, token)
  end
  return true
end

reap_leases(100)
if want > 0 then
  is_quiet = is_free(queue)
  if not is_quiet then
    for _, scope in ipairs(call('SMEMBERS', P .. 'parked')) do unpark(scope, want) end
    want = math.min(want, capacity('q:' .. queue))
  end
  local may_be_plain = true
  while want > 0 and number < 3000 do
    local more, is_all = 0, false
    if may_be_plain then more, is_all = claim_plain() end
    may_be_plain = more > 0
    if want > 0 and (is_all or not claim()) then break end
  end
end
return {NOW, taken, claimed}
