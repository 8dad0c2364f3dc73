-- What every script of the queue shares. Keys of ours start with gabier:{q}:, those of BullMQ with bull:<queue>:.
local call = redis.call
local P = 'gabier:{q}:'
local DAY = 86400000
local CLOCK = call('TIME')
local NOW = CLOCK[1] * 1000 + math.floor(CLOCK[2] / 1000)
-- Set while many tasks change in one call: then anything may have changed, which is told once.
local QUIET = false
-- Defined with the scripts that end tasks: puts a dead letter into BullMQ's queue of them, too.
local bury_job

local FIELDS = {'state', 'queue', 'tool', 'kind', 'owner', 'alias', 'parent', 'priority', 'fence', 'attempt', 'max',
  'retry', 'deadline', 'cancel', 'seq', 'created', 'started', 'finished', 'job', 'token', 'callback', 'chain', 'idem',
  'out', 'dead', 'foreign', 'worker', 'due', 'nonce', 'parked', 'then'}
local TERMINAL = {completed = true, partial = true, timed_out = true, failed = true, crashed = true, unknown = true,
  cancelled = true, expired = true}

local function load(id)
  local values = call('HMGET', P .. 't:' .. id, unpack(FIELDS))
  if not values[1] then return nil end
  local task = {id = id}
  for i, field in ipairs(FIELDS) do task[field] = values[i] or nil end
  task.job = task.job or id
  return task
end

local queues = {}
local function bull(queue)
  local keys = queues[queue]
  if keys then return keys end
  local base = 'bull:' .. queue .. ':'
  keys = {base = base}
  for _, name in ipairs({'wait', 'active', 'prioritized', 'events', 'stalled', 'limiter', 'delayed', 'paused', 'meta',
    'pc', 'marker', 'completed', 'failed', 'id', 'waiting-children'}) do
    keys[name] = base .. name
  end
  queues[queue] = keys
  return keys
end

local function tell(text)
  if not QUIET then call('PUBLISH', P .. 'changes', text) end
end

local function counter(task, state)
  return task.queue .. '\0' .. task.tool .. '\0' .. task.kind .. '\0' .. state
end

-- Counters move once per call, however many tasks it is about.
local moved = {}
local function add(key, field, by)
  local fields = moved[key] or {}
  moved[key] = fields
  fields[field] = (fields[field] or 0) + by
end

local function flush()
  for key, fields in pairs(moved) do
    for field, by in pairs(fields) do
      if by ~= 0 then call('HINCRBY', P .. key, field, by) end
    end
  end
end

local function count(task, state, by)
  local field = 'n\0' .. counter(task, state)
  add('count', field, by)
  add('count:' .. task.owner, field, by)
end

local function ran(task, by)
  local field = 'r\0' .. counter(task, task.state)
  add('count', field, by)
  add('count:' .. task.owner, field, by)
end

-- How many run of a task's queue, tool and host.
local function running(task, by)
  call('HINCRBY', P .. 'run', 'q:' .. task.queue, by)
  call('HINCRBY', P .. 'run', 't:' .. task.tool, by)
  if task.alias then call('HINCRBY', P .. 'run', 'a:' .. task.alias, by) end
end

-- Makes a task something else in our record and its indexes.
local function become(task, state, set, unset)
  count(task, task.state, -1)
  count(task, state, 1)
  if task.state == 'running' then
    running(task, -1)
    call('ZREM', P .. 'leases', task.id)
  end
  if state == 'running' then running(task, 1) end
  if task.deadline then
    if state == 'running' or TERMINAL[state] then
      call('ZREM', P .. 'deadlines', task.id)
    else
      call('ZADD', P .. 'deadlines', task.deadline, task.id)
    end
  end
  call('HSET', P .. 't:' .. task.id, 'state', state, 'updated', NOW, unpack(set))
  if unset then call('HDEL', P .. 't:' .. task.id, unpack(unset)) end
  task.state = state
  tell('t' .. task.id)
end

-- Makes the first delivery of a task, in the order of its events, due, and no other.
local function redue(id)
  for i, name in ipairs(call('ZRANGE', P .. 'dq:' .. id, 0, -1)) do
    if i > 1 then
      call('ZREM', P .. 'due', name)
    elseif not call('ZSCORE', P .. 'due', name) then
      call('ZADD', P .. 'due', call('HGET', P .. 'd:' .. name, 'next') or NOW, name)
    end
  end
end

-- Writes a delivery that tells of a task.
local function deliver(task, event)
  if not task.callback then return end
  local name = 'msg_' .. task.id .. '_' .. event
  local key = P .. 'd:' .. name
  if call('EXISTS', key) == 1 then return end
  local seq = call('INCR', P .. 'dseq')
  call('HSET', key, 'task', task.id, 'event', event, 'url', task.callback, 'state', 'waiting', 'attempts', 0,
    'created', NOW, 'next', NOW, 'owner', task.owner, 'seq', seq)
  for _, index in ipairs({'dl', 'dl:' .. task.owner, 'dls:waiting'}) do call('ZADD', P .. index, seq, name) end
  call('ZADD', P .. 'dq:' .. task.id, seq, name)
  redue(task.id)
end

-- Notes whether an ended task may be pruned: not while it is a dead letter, has a chain to start, deliveries to make or
-- a key that still counts. One that ended just now is in no index yet.
local function settle(task, is_new)
  if not TERMINAL[task.state] then return end
  if not is_new then
    for _, index in ipairs({'prunable', 'prunable:out', 'keyed'}) do call('ZREM', P .. index, task.id) end
  end
  if task.dead or task.chain or (task.callback and call('EXISTS', P .. 'dq:' .. task.id) == 1) then return end
  if task.idem and task.created + DAY > NOW then
    call('ZADD', P .. 'keyed', task.created + DAY, task.id)
    return
  end
  call('ZADD', P .. 'prunable', task.finished, task.id)
  if tonumber(task.out or 0) > 0 then call('ZADD', P .. 'prunable:out', task.finished, task.id) end
end

local EVENT = {completed = 'completed', partial = 'completed', cancelled = 'cancelled'}

-- Ends a task in our record; its job was ended before. `failure` is JSON and makes it a dead letter.
local function conclude(task, state, result, error, failure)
  local set, unset = {'finished', NOW}, nil
  if task.worker or task.due or task.parked then unset = {'worker', 'lease', 'due', 'token', 'parked'} end
  local function put(field, value)
    if value and value ~= '' then
      table.insert(set, field)
      table.insert(set, value)
    end
  end
  put('result', result)
  put('error', error)
  put('cancel', task.cancel)
  if failure and failure ~= '' then
    put('dead', '1')
    task.dead = '1'
  end
  if task['then'] then
    put('chain', '1')
    task.chain = '1'
    call('ZADD', P .. 'unchained', task.seq, task.id)
  end
  become(task, state, set, unset)
  task.finished = NOW
  if task.started then ran(task, math.max(0, NOW - task.started)) end
  call('ZREM', P .. 'live', task.id)
  call('ZADD', P .. 'state:' .. state, task.seq, task.id)
  call('ZADD', P .. 'ended', NOW, task.id)
  if not task.foreign then add('open', task.queue, -1) end
  deliver(task, EVENT[state] or 'error')
  if task.dead then
    call('ZADD', P .. 'dead', task.seq, task.id)
    add('count', 'dead', 1)
    add('count:' .. task.owner, 'dead', 1)
    bury_job(task, failure)
  end
  settle(task, true)
end

-- Takes a job that nobody runs out of where it waits and puts it among BullMQ's failed ones. BullMQ has no call for
-- that: its own end needs an active job.
local function withdraw(task, reason)
  local keys, job = bull(task.queue), task.job
  if task.parked then call('ZREM', P .. 'park:' .. task.parked, task.id) end
  local is_found = call('ZREM', keys.prioritized, job) == 1 or call('ZREM', keys.delayed, job) == 1
    or call('ZREM', keys['waiting-children'], job) == 1 or call('LREM', keys.wait, 1, job) == 1
  if not is_found and call('EXISTS', keys.base .. job) == 0 then return end
  call('HSET', keys.base .. job, 'failedReason', reason, 'finishedOn', NOW)
  call('ZADD', keys.failed, NOW, job)
  call('XADD', keys.events, 'MAXLEN', '~', 10000, '*', 'event', 'failed', 'jobId', job, 'failedReason', reason,
    'prev', 'waiting')
end

-- Ends an active job by BullMQ's own call; gives its code, below 0 when the token does not hold the job.
local function finish_job(task, token, target, field, value)
  local keys = bull(task.queue)
  local options = cmsgpack.pack({token = token, keepJobs = {count = -1}, lockDuration = 30000,
    attempts = tonumber(task.max), maxMetricsSize = '', fpof = false, cpof = false, idof = false, rdof = false})
  return bull_moveToFinished({keys.wait, keys.active, keys.prioritized, keys.events, keys.stalled, keys.limiter,
    keys.delayed, keys.paused, keys.meta, keys.pc, keys[target], keys.base .. task.job,
    keys.base .. 'metrics:' .. target, keys.marker},
    {task.job, NOW, field, value, target, '', keys.base, options, ''})
end

-- Brings a job that was running back to where it waits, by BullMQ's own call, in front of its priority.
local function requeue_job(task, token)
  local keys = bull(task.queue)
  local code = bull_moveJobFromActiveToWait({keys.active, keys.wait, keys.stalled, keys.paused, keys.meta, keys.limiter,
    keys.prioritized, keys.marker, keys.events}, {task.job, token, keys.base .. task.job})
  local score = call('ZSCORE', keys.prioritized, task.job)
  -- Among those in front, the older goes first.
  if score then call('ZADD', keys.prioritized, score + (task.seq % 100000) / 100001, task.job) end
  if call('HEXISTS', keys.meta, 'paused') == 0 then call('ZADD', keys.marker, 0, '0') end
  tell('w' .. task.queue)
  return code
end

local CRASH = '{"message":"the worker was lost while it ran the task","name":"Crashed","type":"crashed"}'
local EXPIRY = '{"message":"the deadline passed before the task started","name":"Expired","type":"expired"}'

-- What a lost attempt leads to: State::after_loss of the table. Gives 'pending' or how the task ended. The job must be
-- active, and nobody may hold it any more; where it waits again it is passed over by `is_waiting`.
local function lose(task, is_waiting)
  local repeats = task.retry == '1' and tonumber(task.attempt) < tonumber(task.max)
  local state = repeats and (task.cancel and 'cancelled' or 'pending')
    or (task.retry == '1' and (task.cancel and 'cancelled' or 'failed') or 'crashed')
  if state == 'pending' then
    if not is_waiting then
      call('DEL', bull(task.queue).base .. task.job .. ':lock')
      requeue_job(task, '0')
    end
    become(task, 'pending', {}, {'worker', 'lease', 'token'})
    return state
  end
  local reason = state == 'cancelled' and 'cancelled' or 'the worker was lost while it ran the task'
  if is_waiting then
    withdraw(task, reason)
  else
    call('DEL', bull(task.queue).base .. task.job .. ':lock')
    finish_job(task, '0', 'failed', 'failedReason', reason)
  end
  local is_cancelled = state == 'cancelled'
  conclude(task, state, nil, not is_cancelled and CRASH or nil, state == 'failed' and CRASH or nil)
  return state
end
