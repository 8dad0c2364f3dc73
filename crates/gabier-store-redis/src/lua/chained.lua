-- Notes that what follows these tasks was looked at. ARGV: ids.
for _, id in ipairs(ARGV) do
  if call('ZREM', P .. 'unchained', id) == 1 then
    call('HDEL', P .. 't:' .. id, 'chain')
    local task = load(id)
    if task then settle(task) end
  end
end
return 1
