-- Keeps what a running attempt tells. ARGV: id, fence, progress as JSON or '', then stream, bytes, line ends, and how
-- many bytes are left out behind them each. Of each stream the first bytes and the last are kept.
local HEAD, MOST, KEEP = 131072, 196608, 147456
local id = ARGV[1]
local task = load(id)
if not task or task.state ~= 'running' or task.fence ~= ARGV[2] then return 0 end
local key = P .. 't:' .. id
if ARGV[3] ~= '' then
  call('HSET', key, 'progress', ARGV[3])
  local keys = bull(task.queue)
  bull_updateProgress({keys.base .. task.job, keys.events, keys.meta}, {task.job, ARGV[3]})
end
local grown = 0
for i = 4, #ARGV, 4 do
  local stream, bytes, skipped = ARGV[i], ARGV[i + 1], tonumber(ARGV[i + 3])
  local base = P .. 'o:' .. id .. ':' .. stream
  local total = tonumber(call('HGET', key, 'total:' .. stream) or 0)
  call('HSET', key, 'total:' .. stream, total + #bytes + skipped)
  call('HINCRBY', key, 'lines:' .. stream, ARGV[i + 2])
  if stream == 'log' and #bytes > 0 then
    local job = bull(task.queue).base .. task.job
    bull_addLog({job, job .. ':logs'}, {task.job, bytes, '100'})
  end
  -- A head that another store cut shorter, or behind which something is missing, does not grow any more.
  if total < HEAD and call('STRLEN', base .. ':head') == total then
    local first = string.sub(bytes, 1, HEAD - total)
    call('APPEND', base .. ':head', first)
    grown = grown + #first
    bytes = string.sub(bytes, HEAD - total + 1)
  end
  if #bytes > 0 then
    local before = call('STRLEN', base .. ':tail')
    local length = call('APPEND', base .. ':tail', bytes)
    if length > MOST then
      call('SET', base .. ':tail', call('GETRANGE', base .. ':tail', -KEEP, -1))
      length = KEEP
    end
    grown = grown + length - before
  end
  if skipped > 0 then
    grown = grown - call('STRLEN', base .. ':tail')
    call('DEL', base .. ':tail')
  end
end
if grown ~= 0 then
  call('HINCRBY', key, 'out', grown)
  call('INCRBY', P .. 'outbytes', grown)
end
call('HSET', key, 'updated', NOW)
tell('t' .. id)
return 1
