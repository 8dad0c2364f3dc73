-- Renews leases. ARGV: lease, then id and fence each. Gives per task: 'lost', 'held' or 'c' and why it should stop.
local lease, answer = tonumber(ARGV[1]), {}
for i = 2, #ARGV, 2 do
  local task = load(ARGV[i])
  local said = 'lost'
  if task and task.state == 'running' and task.fence == ARGV[i + 1] then
    local keys = bull(task.queue)
    local lock = call('GET', keys.base .. task.job .. ':lock')
    -- A lock that ran out is taken again, unless the lease has ended: then others may move the task on.
    local is_ours = lock == task.token or (not lock and tonumber(call('ZSCORE', P .. 'leases', task.id) or 0) > NOW)
    if is_ours then
      call('SET', keys.base .. task.job .. ':lock', task.token, 'PX', lease)
      call('SREM', keys.stalled, task.job)
      call('HSET', P .. 't:' .. task.id, 'lease', NOW + lease)
      call('ZADD', P .. 'leases', NOW + lease, task.id)
      said = task.cancel and 'c' .. task.cancel or 'held'
    end
  end
  table.insert(answer, said)
end
return answer
