-- Cancels tasks by id. ARGV: why, ids. Gives per task 'unknown', 'ended', 'told' or 'b' and the state it had ended in.
local function cancel(task, why)
  if not task then return 'unknown' end
  if TERMINAL[task.state] then return 'b' .. task.state end
  if task.state == 'running' then
    if not task.cancel then
      call('HSET', P .. 't:' .. task.id, 'cancel', why, 'updated', NOW)
      tell('t' .. task.id)
    end
    return 'told'
  end
  withdraw(task, 'cancelled')
  task.cancel = why
  conclude(task, 'cancelled')
  return 'ended'
end
