-- One record. ARGV: id. What a worker of another make did with its job is seen first.
local task = load(ARGV[1])
if not task then return {} end
if not TERMINAL[task.state] then
  local keys = bull(task.queue)
  local key = keys.base .. task.job
  local lock = call('GET', key .. ':lock')
  if call('HEXISTS', key, 'finishedOn') == 1 or call('EXISTS', key) == 0 or (lock and lock ~= task.token) then
    follow(task)
  end
end
return call('HGETALL', P .. 't:' .. ARGV[1])
