-- The id of the record of a job: the same, unless it is another queue's or too short to be one of ours.
local function record_of(queue, job)
  if string.match(job, '^%x%x%x%x%x%x%x%x%-') then
    local task = load(job)
    if not task or task.queue == queue then return job end
  end
  return queue .. '-' .. job
end

-- Makes the record of a job that another make's producer added.
local function adopt(queue, job)
  local values = call('HMGET', bull(queue).base .. job, 'name', 'data', 'opts', 'timestamp', 'priority')
  if not values[2] then return nil end
  local is_read, data = pcall(cjson.decode, values[2])
  if not is_read or type(data) ~= 'table' then data = {} end
  local was_read, options = pcall(cjson.decode, values[3] or '{}')
  if not was_read or type(options) ~= 'table' then options = {} end
  local attempts = math.min(32, math.max(1, tonumber(options.attempts) or 1))
  local tool = type(data.toolName) == 'string' and data.toolName or values[1] or ''
  local callback = type(data.cbUrl) == 'string' and data.cbUrl or ''
  local task = {id = record_of(queue, job), job = job, queue = queue, tool = tool, kind = 'tool',
    owner = 'queue:' .. queue, priority = text(math.max(0, (tonumber(values[5]) or 0) - 1)), fence = 0, attempt = 0,
    max = text(attempts), retry = attempts > 1 and '1' or '0', callback = callback, created = tonumber(values[4]) or NOW,
    state = 'pending', foreign = '1'}
  write(task, {'raw', values[2]})
  return load(task.id)
end
