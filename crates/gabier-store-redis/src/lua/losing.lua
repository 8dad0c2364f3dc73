-- Moves on what lost its worker: leases that ended. Gives how many moved.
local function reap_leases(most)
  local moved = 0
  for _, id in ipairs(call('ZRANGEBYSCORE', P .. 'leases', '-inf', NOW, 'LIMIT', 0, most)) do
    local task = load(id)
    if not task or task.state ~= 'running' then
      call('ZREM', P .. 'leases', id)
    else
      local keys = bull(task.queue)
      local lock = call('GET', keys.base .. task.job .. ':lock')
      if lock and (lock ~= task.token or string.sub(task.worker or '', 1, 5) == 'bull:') then
        -- A worker of another make runs it, or has taken it over; its lock is what counts, which it renews.
        call('ZADD', P .. 'leases', NOW + math.max(1, call('PTTL', keys.base .. task.job .. ':lock')), id)
      elseif call('EXISTS', keys.base .. task.job) == 0 or call('HEXISTS', keys.base .. task.job, 'finishedOn') == 1 then
        -- Another make's worker ended it: that is looked at by the sweep.
        call('ZADD', P .. 'leases', NOW + 1000, id)
      else
        local is_active = call('LREM', keys.active, -1, task.job) == 1
        if is_active then call('LPUSH', keys.active, task.job) end
        lose(task, not is_active)
        moved = moved + 1
      end
    end
  end
  return moved
end

-- Ends what waits beyond its deadline. Gives how many ended.
local function reap_deadlines(most)
  local ids = call('ZRANGEBYSCORE', P .. 'deadlines', '-inf', NOW, 'LIMIT', 0, most)
  for _, id in ipairs(ids) do
    call('ZREM', P .. 'deadlines', id)
    local task = load(id)
    if task and not TERMINAL[task.state] and task.state ~= 'running' then
      withdraw(task, 'expired')
      conclude(task, 'expired', nil, EXPIRY)
    end
  end
  return #ids
end
