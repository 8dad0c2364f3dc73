-- Puts tasks as they are; those that exist are left alone. ARGV: per task 17 as in `enqueue` from id to data (with '' for
-- run_at), then state, attempt, fence, created, updated, finished, started, due, lease, worker, dead, number of pairs
-- and further fields as pairs. Gives how many were put.
local put, i = 0, 1
QUIET = true
while i <= #ARGV do
  local more = tonumber(ARGV[i + 28])
  if call('EXISTS', P .. 't:' .. ARGV[i]) == 0 then
    local state, due, lease = ARGV[i + 17], tonumber(ARGV[i + 24]), ARGV[i + 25]
    local task = {id = ARGV[i], queue = ARGV[i + 1], tool = ARGV[i + 2], kind = ARGV[i + 3], owner = ARGV[i + 4],
      alias = ARGV[i + 5], parent = ARGV[i + 6], priority = ARGV[i + 7], deadline = ARGV[i + 9], max = ARGV[i + 10],
      retry = ARGV[i + 11], callback = ARGV[i + 12], ['then'] = ARGV[i + 13], idem = ARGV[i + 14], state = state,
      attempt = ARGV[i + 18], fence = ARGV[i + 19], created = ARGV[i + 20], finished = ARGV[i + 22],
      started = ARGV[i + 23]}
    local set = {'asked', ARGV[i + 15], 'updated', ARGV[i + 21]}
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
      call('ZADD', P .. 'ended', task.finished, task.id)
      if task.started ~= '' then ran(task, math.max(0, task.finished - task.started)) end
      if ARGV[i + 27] == '1' then
        task.dead = '1'
        call('HSET', P .. 't:' .. task.id, 'dead', '1')
        call('ZADD', P .. 'dead', task.seq, task.id)
        add('count', 'dead', 1)
        add('count:' .. task.owner, 'dead', 1)
        bury_job(task, CRASH)
      end
      settle(task)
    end
    put = put + 1
  end
  i = i + 29 + more * 2
end
QUIET = false
if put > 0 then tell('a') end
return put
