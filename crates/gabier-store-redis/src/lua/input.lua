-- Keeps answers. ARGV: id, the questions as they were read, those that are left, all answers, whether none is left.
-- Gives 1 when it is done or does not matter any more, 0 when the task is unknown, -1 when somebody came in between.
local task = load(ARGV[1])
if not task then return 0 end
if task.state ~= 'input_required' then return 1 end
local key = P .. 't:' .. task.id
if (call('HGET', key, 'questions') or '') ~= ARGV[2] then return -1 end
call('HSET', key, 'questions', ARGV[3], 'answers', ARGV[4])
if ARGV[5] == '0' then
  call('HSET', key, 'updated', NOW)
  tell('t' .. task.id)
  return 1
end
local keys = bull(task.queue)
call('ZREM', keys['waiting-children'], task.job)
call('ZADD', keys.prioritized, (task.priority + 1) * 4294967296 + (task.seq % 100000) / 100001, task.job)
if call('HEXISTS', keys.meta, 'paused') == 0 then call('ZADD', keys.marker, 0, '0') end
call('XADD', keys.events, 'MAXLEN', '~', 10000, '*', 'event', 'waiting', 'jobId', task.job, 'prev', 'waiting-children')
become(task, 'pending', {})
tell('w' .. task.queue)
return 1
