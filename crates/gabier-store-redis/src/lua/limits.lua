-- How many more tasks of a scope may start now; a huge number without a limit.
local limits, is_unlimited = {}, false
local function limit_of(scope)
  if is_unlimited then return false end
  if limits[scope] == nil then
    local text = call('HGET', P .. 'limits', scope)
    limits[scope] = text and cjson.decode(text) or false
  end
  return limits[scope]
end

-- Whether no job of another kind than ours goes first in a queue: one without a priority, or one whose time has come.
local function has_no_others(queue)
  local keys = bull(queue)
  return call('LLEN', keys.wait) == 0
    and #call('ZRANGEBYSCORE', keys.delayed, 0, text((NOW + 1) * 4096 - 1), 'LIMIT', 0, 1) == 0
end

-- Whether what is first in a queue may start, whatever it is: by one look that tells it for most queues.
local function is_free(queue)
  local keys = bull(queue)
  is_unlimited = call('EXISTS', P .. 'limits', P .. 'parked', keys.wait, keys.delayed) == 0
  return is_unlimited
end

-- The tokens of a scope's bucket: they come in at the rate, and a tenth of a second's worth is kept, one at least.
local function tokens(scope, limit)
  local bucket = call('HMGET', P .. 'bucket:' .. scope, 'tokens', 'at')
  local most = math.max(1, limit.per_second / 10)
  if not bucket[1] then return most end
  return math.min(most, tonumber(bucket[1]) + (NOW - bucket[2]) * limit.per_second / 1000)
end

local function capacity(scope)
  local limit, free = limit_of(scope), 1e9
  if not limit then return free end
  if limit.running then free = limit.running - tonumber(call('HGET', P .. 'run', scope) or 0) - moving('run', scope) end
  if limit.per_second then free = math.min(free, math.floor(tokens(scope, limit) + 1e-9)) end
  return math.max(0, free)
end

-- Notes that a task of a scope starts.
local function spend(scope)
  local limit = limit_of(scope)
  if limit and limit.per_second then
    call('HSET', P .. 'bucket:' .. scope, 'tokens', string.format('%.6f', tokens(scope, limit) - 1), 'at', NOW)
  end
end

-- Brings back what was put aside for a limit, as much as may start now.
local function unpark(scope, most)
  local free = math.min(capacity(scope), most)
  if free <= 0 then return end
  for _, id in ipairs(call('ZRANGE', P .. 'park:' .. scope, 0, math.min(free, 1000) - 1)) do
    call('ZREM', P .. 'park:' .. scope, id)
    local task = load(id)
    if task and task.parked == scope then
      local keys = bull(task.queue)
      call('HDEL', P .. 't:' .. id, 'parked')
      call('ZREM', keys['waiting-children'], task.job)
      local place = math.min(tonumber(task.priority) + 1, 2097151) * 4294967296
      call('ZADD', keys.prioritized, place + (task.seq % 100000) / 100001, task.job)
    end
  end
  if call('EXISTS', P .. 'park:' .. scope) == 0 then call('SREM', P .. 'parked', scope) end
end
