-- Writes the record of a task and its indexes. `set` holds what a new task does not have by itself.
local function write(task, set)
  local seq = call('INCR', P .. 'seq')
  task.seq = seq
  local fields = {'state', task.state, 'queue', task.queue, 'tool', task.tool, 'kind', task.kind, 'owner', task.owner,
    'priority', task.priority, 'fence', task.fence, 'attempt', task.attempt, 'max', task.max, 'retry', task.retry,
    'created', task.created, 'updated', NOW, 'seq', seq}
  for _, field in ipairs({'alias', 'parent', 'deadline', 'callback', 'then', 'idem', 'foreign'}) do
    if task[field] and task[field] ~= '' then
      table.insert(fields, field)
      table.insert(fields, task[field])
    else
      task[field] = nil
    end
  end
  if task.job and task.job ~= task.id then
    table.insert(fields, 'job')
    table.insert(fields, task.job)
  end
  task.job = task.job or task.id
  call('HSET', P .. 't:' .. task.id, unpack(fields))
  call('HSET', P .. 't:' .. task.id, unpack(set))
  for _, index in ipairs({'all', 'owner:' .. task.owner, 'tool:' .. task.tool, 'queue:' .. task.queue}) do
    call('ZADD', P .. index, seq, task.id)
  end
  if task.alias then call('ZADD', P .. 'alias:' .. task.alias, seq, task.id) end
  if task.parent then call('ZADD', P .. 'parent:' .. task.parent, seq, task.id) end
  call('ZADD', P .. 'lex', 0, task.id)
  call('ZADD', P .. 'lex:' .. task.owner, 0, task.id)
  call('SADD', P .. 'queues', task.queue)
  count(task, task.state, 1)
  if TERMINAL[task.state] then
    call('ZADD', P .. 'state:' .. task.state, seq, task.id)
  else
    call('ZADD', P .. 'live', seq, task.id)
    if task.deadline and task.state ~= 'running' then call('ZADD', P .. 'deadlines', task.deadline, task.id) end
    if not task.foreign then add('open', task.queue, 1) end
  end
end

-- BullMQ's priority: 1 is its most urgent of those with one, so that a place in the middle is found without a scan.
local function priority_of(task)
  return math.min(tonumber(task.priority) + 1, 2097151)
end

-- Adds the job of a task by BullMQ's own calls: delayed until `due`, or ready.
local function add_job(task, data, due)
  local keys = bull(task.queue)
  local options = {jobId = task.job, priority = priority_of(task), attempts = tonumber(task.max)}
  local name = cmsgpack.pack({keys.base, task.job, task.tool, NOW})
  if due and due > NOW then
    options.delay = due - NOW
    bull_addDelayedJob({keys.marker, keys.meta, keys.id, keys.delayed, keys.completed, keys.events},
      {name, data, cmsgpack.pack(options)})
  else
    bull_addPrioritizedJob({keys.marker, keys.meta, keys.id, keys.prioritized, keys.delayed, keys.completed,
      keys.active, keys.events, keys.pc}, {name, data, cmsgpack.pack(options)})
  end
end

-- Takes a job that was just added out of what waits, for whoever added it.
local function activate(task, worker, token, lease)
  local keys = bull(task.queue)
  call('ZREM', keys.prioritized, task.job)
  call('LPUSH', keys.active, task.job)
  call('SET', keys.base .. task.job .. ':lock', token, 'PX', lease)
  call('XADD', keys.events, '*', 'event', 'active', 'jobId', task.job, 'prev', 'waiting')
  call('HSET', keys.base .. task.job, 'processedOn', NOW, 'pb', worker)
  call('HINCRBY', keys.base .. task.job, 'ats', 1)
end
