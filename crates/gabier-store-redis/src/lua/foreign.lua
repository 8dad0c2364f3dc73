-- What workers of another make did with jobs, put into our records.

-- Looks at one task whose job may have gone on without us; gives whether anything changed.
local function follow(task)
  local keys = bull(task.queue)
  local key = keys.base .. task.job
  local values = call('HMGET', key, 'finishedOn', 'returnvalue', 'failedReason', 'processedOn', 'pb', 'timestamp')
  if values[1] then
    if task.state ~= 'running' then
      become(task, 'running', {'started', values[4] or NOW, 'worker', 'bull:' .. (values[5] or ''), 'attempt',
        task.attempt + 1, 'fence', task.fence + 1})
      task.started, task.worker = values[4] or NOW, 'bull:'
    end
    if call('ZSCORE', keys.completed, task.job) then
      conclude(task, 'completed', values[2])
    else
      local reason = values[3] or 'failed'
      conclude(task, 'failed', nil, '{"message":' .. cjson.encode(reason) .. ',"name":"Error","type":"failed"}')
    end
    return true
  end
  if not values[6] then
    -- Somebody removed the job.
    if task.state == 'running' then
      conclude(task, 'unknown', nil, '{"message":"the job was removed from the queue","name":"Removed","type":"unknown"}')
    else
      task.cancel = 'its job was removed from the queue'
      conclude(task, 'cancelled')
    end
    return true
  end
  local lock = call('GET', key .. ':lock')
  if lock and lock ~= task.token then
    local lease = NOW + call('PTTL', key .. ':lock')
    if task.state == 'running' and task.foreign_token == lock then return false end
    if task.state ~= 'running' then
      become(task, 'running', {'started', values[4] or NOW, 'worker', 'bull:' .. (values[5] or ''), 'attempt',
        task.attempt + 1, 'fence', task.fence + 1, 'lease', lease, 'token', lock}, {'due'})
      call('ZADD', P .. 'leases', lease, task.id)
      if tonumber(task.attempt) == 0 then deliver(task, 'processing') end
    else
      call('HSET', P .. 't:' .. task.id, 'lease', lease, 'token', lock)
      call('ZADD', P .. 'leases', lease, task.id)
    end
    return true
  end
  if not lock and task.state == 'running' and string.sub(task.worker or '', 1, 5) == 'bull:' then
    local due = call('ZSCORE', keys.delayed, task.job)
    if due then
      become(task, 'scheduled', {'due', math.floor(due / 4096)}, {'worker', 'lease', 'token'})
      return true
    elseif call('ZSCORE', keys.prioritized, task.job) then
      become(task, 'pending', {}, {'worker', 'lease', 'token'})
      return true
    end
  end
  return false
end
