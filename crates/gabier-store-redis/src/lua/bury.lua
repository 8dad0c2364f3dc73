-- Takes tasks out of the dead letters, and their jobs out of BullMQ's queue of them. ARGV: ids. Gives how many.
local keys, buried = bull('dead-letter-tasks'), 0
for _, id in ipairs(ARGV) do
  local task = load(id)
  if task and task.dead then
    call('HDEL', P .. 't:' .. id, 'dead')
    task.dead = nil
    call('ZREM', P .. 'dead', id)
    add('count', 'dead', -1)
    add('count:' .. task.owner, 'dead', -1)
    if call('GET', keys.base .. id .. ':lock') == false then
      call('LREM', keys.wait, 1, id)
      for _, index in ipairs({'prioritized', 'delayed', 'completed', 'failed'}) do call('ZREM', keys[index], id) end
      call('DEL', keys.base .. id, keys.base .. id .. ':logs')
    end
    settle(task)
    tell('t' .. id)
    buried = buried + 1
  end
end
return buried
