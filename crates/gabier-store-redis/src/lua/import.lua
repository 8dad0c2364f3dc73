-- Puts tasks as they are; those that exist are left alone. ARGV: per task 17 as in `enqueue` from id to data (with '' for
-- run_at), then state, attempt, fence, created, updated, finished, started, due, lease, worker, dead, number of pairs
-- and further fields as pairs, whether its chain is to be looked at, number of streams, of each its name, head, tail,
-- bytes and lines in all, number of deliveries, of each its name, event, URL, state, attempts, next, last and creation.
-- Gives how many were put.
local put, i = 0, 1
QUIET = true

-- Puts what a task wrote.
local function put_output(task, at)
  local key, stored = P .. 't:' .. task.id, 0
  for _ = 1, tonumber(ARGV[at]) do
    local stream, head, tail = ARGV[at + 1], ARGV[at + 2], ARGV[at + 3]
    local base = P .. 'o:' .. task.id .. ':' .. stream
    if #head > 0 then call('SET', base .. ':head', head) end
    if #tail > 0 then call('SET', base .. ':tail', tail) end
    call('HSET', key, 'total:' .. stream, ARGV[at + 4], 'lines:' .. stream, ARGV[at + 5])
    stored, at = stored + #head + #tail, at + 5
  end
  if stored > 0 then
    task.out = stored
    call('HSET', key, 'out', stored)
    call('INCRBY', P .. 'outbytes', stored)
  end
end

-- Puts the deliveries of a task.
local function put_deliveries(task, at)
  for _ = 1, tonumber(ARGV[at]) do
    local name, state, seq = ARGV[at + 1], ARGV[at + 4], call('INCR', P .. 'dseq')
    local key = P .. 'd:' .. name
    call('HSET', key, 'task', task.id, 'event', ARGV[at + 2], 'url', ARGV[at + 3], 'state', state, 'attempts',
      ARGV[at + 5], 'created', ARGV[at + 8], 'owner', task.owner, 'seq', seq)
    if ARGV[at + 6] ~= '' then call('HSET', key, 'next', ARGV[at + 6]) end
    if ARGV[at + 7] ~= '' then call('HSET', key, 'last', ARGV[at + 7]) end
    for _, index in ipairs({'dl', 'dl:' .. task.owner, 'dls:' .. state}) do call('ZADD', P .. index, seq, name) end
    if state == 'waiting' then call('ZADD', P .. 'dq:' .. task.id, seq, name) end
    at = at + 8
  end
  redue(task.id)
end

while i <= #ARGV do
  local more = tonumber(ARGV[i + 28])
  -- Where its streams and its deliveries begin.
  local chain = i + 29 + more * 2
  local streams = chain + 1
  local deliveries = streams + 1 + tonumber(ARGV[streams]) * 5
  if call('EXISTS', P .. 't:' .. ARGV[i]) == 0 then
    local state, due, lease = ARGV[i + 17], tonumber(ARGV[i + 24]), ARGV[i + 25]
    local task = {id = ARGV[i], queue = ARGV[i + 1], tool = ARGV[i + 2], kind = ARGV[i + 3], owner = ARGV[i + 4],
      alias = ARGV[i + 5], parent = ARGV[i + 6], priority = ARGV[i + 7], deadline = ARGV[i + 9], max = ARGV[i + 10],
      retry = ARGV[i + 11], callback = ARGV[i + 12], ['then'] = ARGV[i + 13], idem = ARGV[i + 14], state = state,
      attempt = ARGV[i + 18], fence = ARGV[i + 19], created = ARGV[i + 20], finished = ARGV[i + 22],
      started = ARGV[i + 23]}
    local set = {'asked', ARGV[i + 15], 'attempt', task.attempt, 'fence', task.fence, 'updated', ARGV[i + 21]}
    for k, field in ipairs({'finished', 'started', 'due', 'lease', 'worker'}) do
      local value = ARGV[i + 21 + k]
      if value ~= '' then
        table.insert(set, field)
        table.insert(set, value)
      end
    end
    for k = 1, more * 2 do table.insert(set, ARGV[i + 28 + k]) end
    write(task, set)
    if task.idem then call('SET', P .. 'idem:' .. task.idem, task.id) end
    add_job(task, ARGV[i + 16], state == 'scheduled' and due)
    put_output(task, streams)
    put_deliveries(task, deliveries)
    local keys = bull(task.queue)
    if state == 'running' then
      call('ZREM', keys.prioritized, task.job)
      call('LPUSH', keys.active, task.job)
      call('HSET', P .. 't:' .. task.id, 'token', 'imported')
      call('ZADD', P .. 'leases', lease, task.id)
      running(task, 1)
    elseif state == 'input_required' or state == 'pending_approval' then
      call('ZREM', keys.prioritized, task.job)
      call('ZADD', keys['waiting-children'], NOW, task.job)
    elseif TERMINAL[state] then
      local is_good = state == 'completed' or state == 'partial'
      call('ZREM', keys.prioritized, task.job)
      call('HSET', keys.base .. task.job, 'finishedOn', task.finished, is_good and 'returnvalue' or 'failedReason',
        is_good and 'null' or state)
      call('ZADD', is_good and keys.completed or keys.failed, task.finished, task.job)
      if task.started ~= '' then ran(task, math.max(0, task.finished - task.started)) end
      if ARGV[i + 27] == '1' then
        task.dead = '1'
        call('HSET', P .. 't:' .. task.id, 'dead', '1')
        call('ZADD', P .. 'dead', task.seq, task.id)
        add('count', 'dead', 1)
        add('count:' .. task.owner, 'dead', 1)
        bury_job(task, CRASH)
      end
      if ARGV[chain] == '1' and task['then'] then
        task.chain = '1'
        call('HSET', P .. 't:' .. task.id, 'chain', '1')
        call('ZADD', P .. 'unchained', task.seq, task.id)
      end
      settle(task)
    end
    put = put + 1
  end
  i = deliveries + 1 + tonumber(ARGV[deliveries]) * 8
end
QUIET = false
if put > 0 then tell('a') end
return put
