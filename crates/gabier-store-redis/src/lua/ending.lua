-- A dead letter is also a job in `dead-letter-tasks`, with the same id: the original data and why it failed.
bury_job = function(task, failure)
  local keys = bull('dead-letter-tasks')
  local data = call('HGET', bull(task.queue).base .. task.job, 'data') or '{}'
  local open = string.match(data, '^%s*(%{.*)%}%s*$') or ('{"data":' .. data)
  if not string.match(open, '^%{%s*$') then open = open .. ',' end
  data = open .. '"original_job_id":' .. cjson.encode(task.job) .. ',"failure_reason":' .. failure .. '}'
  bull_addStandardJob({keys.wait, keys.paused, keys.meta, keys.id, keys.completed, keys.delayed, keys.active,
    keys.events, keys.marker}, {cmsgpack.pack({keys.base, task.id, task.tool, NOW}), data,
    cmsgpack.pack({jobId = task.id, attempts = 1})})
  call('SADD', P .. 'queues', 'dead-letter-tasks')
end
