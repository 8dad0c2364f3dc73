-- Makes several changes of records in their order, all of them or none.
-- ARGV: nonce of the call, then kind, key, 'put' or 'remove', value, expectation ('any', 'absent' or a version) each.
-- Gives {'done', version...} or {'conflict', number of the change from 0, present version or ''}.
local PREFIX = 'gabier:{r}:'
local CALL = PREFIX .. 'call:' .. ARGV[1]
local before = redis.call('GET', CALL)
if before then return cjson.decode(before) end

-- What each record would be: its version, or false when it would not be there.
local present = {}
local function version(kind, key)
  local name = kind .. '\0' .. key
  if present[name] == nil then
    local stored = redis.call('HGET', PREFIX .. 'k:' .. kind, key)
    present[name] = stored and string.match(stored, '^%d+') or false
  end
  return present[name]
end

local made = 0
for i = 2, #ARGV, 5 do
  local kind, key, how, expected = ARGV[i], ARGV[i + 1], ARGV[i + 2], ARGV[i + 4]
  local now = version(kind, key)
  local fits = expected == 'any' or (expected == 'absent' and not now) or expected == now
  if not fits then return {'conflict', (i - 2) / 5, now or ''} end
  if how == 'put' then
    -- Any value but a number: nobody can have expected it.
    present[kind .. '\0' .. key] = 'new'
    made = made + 1
  else
    if now then made = made + 1 end
    present[kind .. '\0' .. key] = false
  end
end

local answer = {'done'}
if made == 0 then return answer end
local generation
for i = 2, #ARGV, 5 do
  local hash, key, how = PREFIX .. 'k:' .. ARGV[i], ARGV[i + 1], ARGV[i + 2]
  if how == 'put' then
    generation = redis.call('INCR', PREFIX .. 'generation')
    redis.call('HSET', hash, key, string.format('%.0f\n', generation) .. ARGV[i + 3])
    redis.call('SADD', PREFIX .. 'kinds', ARGV[i])
    table.insert(answer, string.format('%.0f', generation))
  elseif redis.call('HDEL', hash, key) == 1 then
    generation = redis.call('INCR', PREFIX .. 'generation')
    table.insert(answer, string.format('%.0f', generation))
  end
end
redis.call('SET', CALL, cjson.encode(answer), 'PX', 10000)
redis.call('PUBLISH', PREFIX .. 'changes', string.format('%.0f', generation))
return answer
