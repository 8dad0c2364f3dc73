-- Ends attempts and claims tasks.
-- ARGV: nonce, last moment, worker, queue, want, lease, is repeated, number of ends; then per end: id, fence, how,
-- state, result, error, failure, reason, at, questions.
-- Gives {now, {taken...}, {record...}}, or {now} when the call comes too late: whoever asked does not wait any more.
local nonce, worker, queue = ARGV[1], ARGV[3], ARGV[4]
local want, lease, WIDTH = tonumber(ARGV[5]), tonumber(ARGV[6]), 10
if NOW > tonumber(ARGV[2]) then return {NOW} end

local taken, claimed = {}, {}
-- The lock token decides who may end an attempt. A lock that ran out while nobody took the job does no harm.
local function release(task)
  local keys = bull(task.queue)
  local lock = call('GET', keys.base .. task.job .. ':lock')
  if lock then return lock == task.token and task.token end
  if call('EXISTS', keys.base .. task.job) == 1 and call('LREM', keys.active, -1, task.job) == 0 then
    local found = call('ZREM', keys.prioritized, task.job) + call('ZREM', keys.delayed, task.job)
    if found == 0 and call('LREM', keys.wait, 1, task.job) == 0 then return false end
  end
  call('LPUSH', keys.active, task.job)
  call('SREM', keys.stalled, task.job)
  return '0'
end

local function finish(task, token, state, result, err, failure, reason)
  local is_good = state == 'completed' or state == 'partial'
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

local function stop(task, i)
  if not task or task.state ~= 'running' or task.fence ~= ARGV[i + 1] then
    -- Repeated since the answer was lost: what this very call did counts as done.
    return task and ARGV[7] == '1' and call('HGET', P .. 't:' .. task.id, 'ended') == nonce
  end
  local token = release(task)
  if not token then return false end
  call('HSET', P .. 't:' .. task.id, 'ended', nonce)
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

for i = 9, 8 + tonumber(ARGV[8]) * WIDTH, WIDTH do
  table.insert(taken, stop(load(ARGV[i]), i) and 1 or 0)
end

local function give(id)
  table.insert(claimed, id)
  table.insert(claimed, call('HGETALL', P .. 't:' .. id))
end

if ARGV[7] == '1' then
  local seqs = {}
  for _, id in ipairs(call('ZRANGE', P .. 'leases', 0, -1)) do
    if call('HGET', P .. 't:' .. id, 'nonce') == nonce then table.insert(seqs, id) end
  end
  for _, id in ipairs(seqs) do give(id) end
  want = want - #seqs
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
  local set = {'fence', task.fence + 1, 'attempt', task.attempt + 1, 'worker', worker, 'lease', NOW + lease, 'token',
    token, 'started', NOW, 'nonce', nonce}
  become(task, 'running', set, {'due'})
  call('ZADD', P .. 'leases', NOW + lease, task.id)
  for _, scope in ipairs({'q:' .. task.queue, 't:' .. task.tool, task.alias and 'a:' .. task.alias}) do spend(scope) end
  if tonumber(task.attempt) == 0 then deliver(task, 'processing') end
  give(task.id)
  want = want - 1
end

-- Claims one job and does with it what its record says; gives whether there may be more.
local function claim(number)
  local keys, token = bull(queue), worker .. ':' .. nonce .. ':' .. number
  local got = bull_moveToActive({keys.wait, keys.active, keys.prioritized, keys.events, keys.stalled, keys.limiter,
    keys.delayed, keys.paused, keys.meta, keys.pc, keys.marker},
    {keys.base, NOW, cmsgpack.pack({token = token, lockDuration = lease, name = worker})})
  if type(got) ~= 'table' or type(got[1]) ~= 'table' then return false end
  local job = got[2]
  local task = load(record_of(queue, job)) or adopt(queue, job)
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
    call('HDEL', keys.base .. job, 'defa')
    start(task, token)
  end
  return true
end

reap_leases(100)
if want > 0 then
  for _, scope in ipairs(call('SMEMBERS', P .. 'parked')) do unpark(scope, want) end
  want = math.min(want, capacity('q:' .. queue))
  local number = 0
  while want > 0 and number < 3000 and claim(number) do number = number + 1 end
end
return {NOW, taken, claimed}
