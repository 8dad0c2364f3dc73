-- Pauses or resumes a queue by BullMQ's own call. ARGV: queue, '1' to pause.
local keys, is_paused = bull(ARGV[1]), ARGV[2] == '1'
call('SADD', P .. 'queues', ARGV[1])
local from, to = keys.wait, keys.paused
if not is_paused then from, to = keys.paused, keys.wait end
repeat
  local left = bull_pause({from, to, keys.meta, keys.prioritized, keys.events, keys.delayed, keys.marker},
    {is_paused and 'paused' or 'resumed', '1'})
until left == 0
tell('w' .. ARGV[1])
return 1
