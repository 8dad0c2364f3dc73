local listed = {}

-- What of a task of another make is shown as it came.
local AS_IT_CAME = {'queue', 'tool', 'kind', 'owner', 'priority', 'max', 'retry', 'callback'}

-- Places among all tasks, taken for many at once.
local last_seq, taken_seqs = 0, 0
local function take_seqs(number)
  if number > 0 then last_seq, taken_seqs = call('INCRBY', P .. 'seq', number), number end
end

local function next_seq()
  if taken_seqs == 0 then take_seqs(1) end
  taken_seqs = taken_seqs - 1
  return text(last_seq - taken_seqs)
end

-- Writes the record of a task and its indexes. `set` holds what a new task does not have by itself. One that runs from
-- the start is in no index of what runs yet.
local function write(task, set)
  local id = task.id
  task.seq = next_seq()
  local facts = {}
  for i, name in ipairs(FACTS) do
    local value = task[name]
    if value == '' or value == nil then
      task[name] = nil
      value = false
    end
    facts[i] = value
  end
  task.job = task.job or id
  if task.foreign then
    for _, field in ipairs(AS_IT_CAME) do
      if task[field] then
        table.insert(set, field)
        table.insert(set, task[field])
      end
    end
  end
  call('HSET', P .. 't:' .. id, 'state', task.state, 'facts', cmsgpack.pack(facts), 'created', task.created, 'seq',
    task.seq, unpack(set))
  index('owner:' .. task.owner, id, task.seq)
  index('tool:' .. task.tool, id, task.seq)
  if task.alias then index('alias:' .. task.alias, id, task.seq) end
  if task.parent then index('parent:' .. task.parent, id, task.seq) end
  index('lex', id, '0')
  if not listed[task.queue] then call('SADD', P .. 'queues', task.queue) end
  listed[task.queue] = true
  count(task, task.state, 1)
  if TERMINAL[task.state] then
    index('state:' .. task.state, id, task.seq)
  else
    index('live', id, task.seq)
    if task.deadline and task.state ~= 'running' then index('deadlines', id, task.deadline) end
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

-- What BullMQ's `addPrioritizedJob` does with a job that has no parent and is nobody's duplicate, for many: the counters
-- and the order among those that wait move once, by `line_up`.
local lined_up = {}
local function options_of(id, priority, attempts)
  if string.find(id, '^[%w-]+$') then
    return '{"jobId":"' .. id .. '","priority":' .. priority .. ',"attempts":' .. attempts .. '}'
  end
  return cjson.encode({jobId = id, priority = tonumber(priority), attempts = tonumber(attempts)})
end

-- Writes a ready job, with further fields, and gives its priority.
local function write_job(task, data, ...)
  local keys, id = bull(task.queue), task.job
  local priority = text(priority_of(task))
  call('HSET', keys.base .. id, 'name', task.tool, 'data', data, 'opts', options_of(id, priority, task.max),
    'timestamp', NOW_TEXT, 'delay', '0', 'priority', priority, ...)
  event(task.queue, '*', 'event', 'added', 'jobId', id, 'name', task.tool)
  event(task.queue, 'MAXLEN', '~', meta(task.queue).events, '*', 'event', 'waiting', 'jobId', id)
  return priority
end

local function add_ready_job(task, data)
  local id, priority = task.job, write_job(task, data)
  local line = lined_up[task.queue] or {}
  lined_up[task.queue] = line
  line[#line + 1] = priority
  line[#line + 1] = id
end

local function line_up()
  for queue, line in pairs(lined_up) do
    local keys, number = bull(queue), #line / 2
    local last = call('INCRBY', keys.pc, number)
    for i = 1, #line, 2 do
      line[i] = text(line[i] * 4294967296 + (last - number + (i + 1) / 2) % 4294967296)
    end
    for i = 1, #line, 4000 do call('ZADD', keys.prioritized, unpack(line, i, math.min(i + 3999, #line))) end
    if not meta(queue).is_paused then call('ZADD', keys.marker, '0', '0') end
  end
  lined_up = {}
end

-- A job that whoever added it runs: what BullMQ does between adding it and its start, without its way through the line.
local started = {}
local function add_started_job(task, data, worker, token, lease)
  local keys, id = bull(task.queue), task.job
  write_job(task, data, 'processedOn', NOW_TEXT, 'pb', worker, 'ats', '1')
  event(task.queue, '*', 'event', 'active', 'jobId', id, 'prev', 'waiting')
  call('SET', keys.base .. id .. ':lock', token, 'PX', lease)
  local jobs = started[task.queue] or {}
  started[task.queue] = jobs
  jobs[#jobs + 1] = id
end

local function activate()
  for queue, jobs in pairs(started) do
    local keys = bull(queue)
    for i = 1, #jobs, 4000 do call('LPUSH', keys.active, unpack(jobs, i, math.min(i + 3999, #jobs))) end
  end
  started = {}
end
