-- Looks at tasks that have not ended, whatever became of their jobs. ARGV: after which seq. Gives seq to go on after, or ''.
local ids, last = call('ZRANGEBYSCORE', P .. 'live', '(' .. ARGV[1], '+inf', 'LIMIT', 0, 500), ''
for _, id in ipairs(ids) do
  local task = load(id)
  if task then
    last = task.seq
    follow(task)
  end
end
return #ids == 500 and last or ''
