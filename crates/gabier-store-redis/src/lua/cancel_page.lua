-- Cancels some of what fits a filter and has not ended.
-- ARGV: why, after which seq, how many to look at, then as JSON the filter {owner, queue, tool, alias, parent, since,
-- before, states}. Gives {seq to go on after or '', number of cancelled}.
local why, filter, cancelled, last = ARGV[1], cjson.decode(ARGV[4]), 0, ''
local ids = call('ZRANGEBYSCORE', P .. 'live', '(' .. ARGV[2], '+inf', 'LIMIT', 0, tonumber(ARGV[3]))
local function fits(task)
  for _, field in ipairs({'owner', 'queue', 'tool', 'alias', 'parent'}) do
    if filter[field] and filter[field] ~= task[field] then return false end
  end
  if filter.since and tonumber(task.created) < filter.since then return false end
  if filter.before and tonumber(task.created) >= filter.before then return false end
  if filter.states then
    for _, state in ipairs(filter.states) do if state == task.state then return true end end
    return false
  end
  return true
end
QUIET = true
for _, id in ipairs(ids) do
  local task = load(id)
  last = task.seq
  if fits(task) then
    local said = cancel(task, why)
    if said == 'ended' or said == 'told' then cancelled = cancelled + 1 end
  end
end
QUIET = false
if cancelled > 0 then tell('a') end
return {#ids == tonumber(ARGV[3]) and last or '', cancelled}
