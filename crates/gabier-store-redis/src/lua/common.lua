-- What every script of the queue shares. Keys of ours start with gabier:{q}:, those of BullMQ with bull:<queue>:.
local call = redis.call
local P = 'gabier:{q}:'
local DAY = 86400000
local CLOCK = call('TIME')
local NOW = CLOCK[1] * 1000 + math.floor(CLOCK[2] / 1000)
-- The server takes text faster than numbers.
local function text(number)
  return string.format('%.0f', number)
end
local NOW_TEXT = text(NOW)
-- Set while many tasks change in one call: then anything may have changed, which is told once.
local QUIET = false
local told = {}
-- Defined with the scripts that end tasks: puts a dead letter into BullMQ's queue of them, too.
local bury_job

-- What never changes in a task is packed into one field, in this order.
local FACTS = {'queue', 'tool', 'kind', 'owner', 'alias', 'parent', 'priority', 'max', 'retry', 'deadline', 'callback',
  'then', 'idem', 'job', 'foreign'}
local FIELDS = {'state', 'facts', 'seq', 'created', 'fence', 'attempt', 'cancel', 'started', 'finished', 'token', 'out',
  'dead', 'worker', 'due', 'parked', 'chain'}
local TERMINAL = {completed = true, partial = true, timed_out = true, failed = true, crashed = true, unknown = true,
  cancelled = true, expired = true}

-- The task that these values of FIELDS are.
local function task_of(id, values)
  local state, facts, seq, created, fence, attempt, cancel, started, finished, token, out, dead, worker, due, parked,
    chain = unpack(values)
  if not state then return nil end
  facts = cmsgpack.unpack(facts)
  return {id = id, state = state, seq = seq, created = created, fence = fence or '0', attempt = attempt or '0',
    cancel = cancel or nil, started = started or nil, finished = finished or nil, token = token or nil,
    out = out or nil, dead = dead or nil, worker = worker or nil, due = due or nil, parked = parked or nil, chain = chain or nil,
    queue = facts[1], tool = facts[2], kind = facts[3], owner = facts[4], alias = facts[5] or nil,
    parent = facts[6] or nil, priority = facts[7], max = facts[8], retry = facts[9], deadline = facts[10] or nil,
    callback = facts[11] or nil, ['then'] = facts[12] or nil, idem = facts[13] or nil, job = facts[14] or id,
    foreign = facts[15] or nil}
end

local function load(id)
  return task_of(id, call('HMGET', P .. 't:' .. id, unpack(FIELDS)))
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

-- What BullMQ's scripts ask of a queue before each job: whether none may start, its own rate, how many events stay.
local metas = {}
local function meta(queue)
  local known = metas[queue]
  if known then return known end
  local keys = bull(queue)
  local values = call('HMGET', keys.meta, 'paused', 'concurrency', 'max', 'opts.maxLenEvents')
  local is_full = values[2] and call('LLEN', keys.active) >= tonumber(values[2])
  known = {is_paused = values[1] or is_full, is_plain = not (values[1] or values[2] or values[3]), events = values[4]}
  if not known.events then
    known.events = '10000'
    call('HSET', keys.meta, 'opts.maxLenEvents', known.events)
  end
  metas[queue] = known
  return known
end

local function tell(text)
  if not QUIET and told[#told] ~= text then table.insert(told, text) end
end

-- The name of the counter of a task's queue, tool, kind and state: 'n' and 'r' begin how many and how long they ran.
local counters = {n = {}, r = {}}
local function counter(what, task, state)
  local known = counters[what][state]
  if known and known.queue == task.queue and known.tool == task.tool and known.kind == task.kind then
    return known.name
  end
  local name = what .. '\0' .. task.queue .. '\0' .. task.tool .. '\0' .. task.kind .. '\0' .. state
  counters[what][state] = {queue = task.queue, tool = task.tool, kind = task.kind, name = name}
  return name
end

-- Counters move once per call, however many tasks it is about.
local moved = {}

-- What a counter moves by in this call.
local function moving(key, field)
  return moved[key] and moved[key][field] or 0
end

local function add(key, field, by)
  local fields = moved[key] or {}
  moved[key] = fields
  fields[field] = (fields[field] or 0) + by
end

-- So do indexes: by key and member the score, false to remove it. No script reads one after it changed it.
local indexed = {}
local function index(key, member, score)
  local members = indexed[key]
  if not members then
    members = {}
    indexed[key] = members
  end
  members[member] = score
end

local function flush_index(key, members)
  local put, gone, n, m = {}, {}, 0, 0
  for member, score in pairs(members) do
    if score then
      put[n + 1], put[n + 2] = score, member
      n = n + 2
    else
      m = m + 1
      gone[m] = member
    end
  end
  for i = 1, n, 4000 do call('ZADD', P .. key, unpack(put, i, math.min(i + 3999, n))) end
  for i = 1, m, 4000 do call('ZREM', P .. key, unpack(gone, i, math.min(i + 3999, m))) end
end

local function flush_indexes()
  for key, members in pairs(indexed) do flush_index(key, members) end
  indexed = {}
end

-- Tells of a job in BullMQ's stream of events. How many of these are ours is kept: the others in the stream are not.
local function event(queue, ...)
  add('events', queue, 1)
  call('XADD', bull(queue).events, ...)
end

local function flush()
  flush_indexes()
  if #told > 0 then call('PUBLISH', P .. 'changes', table.concat(told, '\0')) end
  for key, fields in pairs(moved) do
    for field, by in pairs(fields) do
      if by ~= 0 then call('HINCRBY', P .. key, field, by) end
    end
  end
end

local function count(task, state, by)
  local field = counter('n', task, state)
  add('count', field, by)
  add('count:' .. task.owner, field, by)
end

local function ran(task, by)
  local field = counter('r', task, task.state)
  add('count', field, by)
  add('count:' .. task.owner, field, by)
end

-- How many run of a task's queue, tool and host.
local function running(task, by)
  add('run', 'q:' .. task.queue, by)
  add('run', 't:' .. task.tool, by)
  if task.alias then add('run', 'a:' .. task.alias, by) end
end

-- Makes a task something else in our record and its indexes. When that was last done shows in `updated`, or as the
-- newest of its other moments.
local function become(task, state, set, unset, has_moment)
  count(task, task.state, -1)
  count(task, state, 1)
  if task.state == 'running' then
    running(task, -1)
    index('leases', task.id, false)
  end
  if state == 'running' then running(task, 1) end
  if task.deadline then
    if state == 'running' or TERMINAL[state] then
      index('deadlines', task.id, false)
    else
      index('deadlines', task.id, task.deadline)
    end
  end
  if not has_moment then
    set[#set + 1] = 'updated'
    set[#set + 1] = NOW_TEXT
  end
  call('HSET', P .. 't:' .. task.id, 'state', state, unpack(set))
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
    for _, key in ipairs({'prunable', 'prunable:out', 'keyed'}) do index(key, task.id, false) end
  end
  if task.dead or task.chain or (task.callback and call('EXISTS', P .. 'dq:' .. task.id) == 1) then return end
  if task.idem and task.created + DAY > NOW then
    index('keyed', task.id, task.created + DAY)
    return
  end
  index('prunable', task.id, task.finished)
  if tonumber(task.out or 0) > 0 then index('prunable:out', task.id, task.finished) end
end

local EVENT = {completed = 'completed', partial = 'completed', cancelled = 'cancelled'}

-- Ends a task in our record; its job was ended before. `failure` is JSON and makes it a dead letter.
local function conclude(task, state, result, error, failure)
  local set, unset = {'finished', NOW_TEXT}, nil
  -- Who held it last stays in the record; a task that has ended is held by nobody.
  if task.due or task.parked then unset = {'due', 'parked'} end
  local function put(field, value)
    if value and value ~= '' then
      table.insert(set, field)
      table.insert(set, value)
    end
  end
  put('ended', task.ended)
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
    index('unchained', task.id, task.seq)
  end
  become(task, state, set, unset, true)
  task.finished = NOW_TEXT
  if task.started then ran(task, math.max(0, NOW - task.started)) end
  index('live', task.id, false)
  index('state:' .. state, task.id, task.seq)
  if not task.foreign then add('open', task.queue, -1) end
  deliver(task, EVENT[state] or 'error')
  if task.dead then
    index('dead', task.id, task.seq)
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
